//! Layers, good and evil.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use proptest::prelude::*;
use tar::EntryType;

use super::{Part, file, folder, hard_link, part, symlink, tar};
use crate::tape::Tape;
use crate::tape::unpack::unpack;

fn unpacked(parts: &[Part], folder: &Path) -> io::Result<u64> {
    fs::create_dir_all(folder)?;
    unpack(&mut Tape::new(tar(parts).as_slice()), folder, 1000)
}

#[test]
fn files_folders_and_links_are_as_the_archive_says() {
    let root = tempfile::tempdir().unwrap();
    let parts = [
        Part { mode: 0o700, ..folder("./") },
        Part { mode: 0o1777, ..folder("tmp/") },
        Part { mode: 0o4755, ..file("./bin/tool", b"tool") },
        hard_link("bin/same", "bin/tool"),
        symlink("bin/sh", "/bin/tool"),
        file("/absolute/name", b"inside"),
        file("twice", b"first"),
        file("twice", b"second"),
        part(EntryType::Fifo, "pipe"),
    ];
    assert_eq!(unpacked(&parts, root.path()).unwrap(), 4 + 6 + 5 + 6);
    let found = |path: &str| fs::symlink_metadata(root.path().join(path)).unwrap();
    assert_eq!(found("").permissions().mode() & 0o7777, 0o700);
    assert_eq!(found("tmp").permissions().mode() & 0o7777, 0o1777);
    assert_eq!(found("bin/tool").permissions().mode() & 0o7777, 0o4755);
    assert_eq!(found("bin/tool").ino(), found("bin/same").ino());
    assert_eq!(fs::read_link(root.path().join("bin/sh")).unwrap(), Path::new("/bin/tool"));
    assert_eq!(fs::read(root.path().join("absolute/name")).unwrap(), b"inside");
    assert_eq!(fs::read(root.path().join("twice")).unwrap(), b"second");
    assert!(found("pipe").file_type().is_fifo());
    for path in ["tmp", "bin/tool", "bin/sh", "pipe"] {
        assert_eq!(found(path).mtime(), 1_000_000_000, "{path}");
    }
}

#[test]
fn what_leads_out_is_refused_with_its_reason() {
    let cases: Vec<(&str, Vec<Part>, &str)> = vec![
        ("parent", vec![file("../evil", b"x")], "leads out of the archive by \"..\""),
        ("parent inside", vec![file("a/../../evil", b"x")], "leads out of the archive by \"..\""),
        ("absolute parent", vec![file("/../evil", b"x")], "leads out of the archive by \"..\""),
        ("through an absolute link", vec![symlink("a", "/etc"), file("a/evil", b"x")], "by a symbolic link"),
        ("through a climbing link", vec![symlink("a", "../.."), file("a/evil", b"x")], "by a symbolic link"),
        (
            "through two links",
            vec![symlink("a", "b"), symlink("b", "/"), file("a/evil", b"x")],
            "by a symbolic link",
        ),
        ("a loop", vec![symlink("a", "a"), file("a/evil", b"x")], "by a symbolic link"),
        ("folder through a link", vec![symlink("a", "/tmp"), folder("a/evil/")], "by a symbolic link"),
        (
            "link of a file outside",
            vec![hard_link("a", "../../etc/passwd")],
            "leads out of the archive by \"..\"",
        ),
        ("link of an absolute file", vec![hard_link("a", "/etc/passwd")], "No such file"),
        ("link through a link", vec![symlink("a", "/etc"), hard_link("b", "a/passwd")], "by a symbolic link"),
        ("link of nothing", vec![hard_link("a", "b")], "which is not there"),
        ("link of the root", vec![hard_link("a", "/")], "leads to the root"),
        ("below a file", vec![file("a", b"x"), file("a/b", b"x")], "below something that is no folder"),
        ("no name", vec![file("", b"x")], "has no name"),
        ("nothing removed", vec![file(".wh.", b"")], "removes nothing"),
        ("dots removed", vec![file("a/.wh...", b"")], "removes nothing"),
        ("unknown kind", vec![part(EntryType::GNUSparse, "a")], "not supported"),
    ];
    for (what, parts, reason) in cases {
        let outside = tempfile::tempdir().unwrap();
        let error = unpacked(&parts, &outside.path().join("l/1")).unwrap_err().to_string();
        assert!(error.contains(reason), "{what}: {error}");
        assert!(
            error.contains("entry") || error.contains("unpacking") || error.contains("supported"),
            "{what}: {error}"
        );
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "{what}");
        assert_eq!(fs::read_dir(outside.path().join("l")).unwrap().count(), 1, "{what}");
    }
    assert!(
        !Path::new("/etc/evil").exists() && !Path::new("/tmp/evil").exists() && !Path::new("/evil").exists()
    );
}

#[test]
fn a_link_is_replaced_and_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("victim");
    fs::write(&target, "safe").unwrap();
    let root = outside.path().join("layer");
    let parts = [symlink("a", target.to_str().unwrap()), file("a", b"evil"), symlink("b", "/"), folder("b/")];
    unpacked(&parts, &root).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"safe");
    assert_eq!(fs::read(root.join("a")).unwrap(), b"evil");
    assert!(fs::symlink_metadata(root.join("b")).unwrap().is_dir());
}

#[test]
fn too_many_entries_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let parts: Vec<Part> = (0..1001).map(|number| file(&number.to_string(), b"")).collect();
    let error = unpacked(&parts, root.path()).unwrap_err().to_string();
    assert!(error.contains("more than 1000 entries"), "{error}");
}

#[test]
#[ignore = "needs root"]
fn deletions_become_what_overlays_understand() {
    let root = tempfile::tempdir().unwrap();
    let parts = [
        file("etc/.wh.gone", b""),
        file("var/.wh..wh..opq", b""),
        file("var/new", b"x"),
        file(".wh..wh.plnk", b""),
        file(".wh.again", b""),
        folder("again/"),
        folder("first/"),
        file(".wh.first", b""),
        Part { device: (1, 3), mode: 0o666, ..part(EntryType::Char, "dev/null") },
        Part { device: (8, 0), ..part(EntryType::Block, "dev/sda") },
    ];
    unpacked(&parts, root.path()).unwrap();
    let found = |path: &str| fs::symlink_metadata(root.path().join(path)).unwrap();
    assert!(found("etc/gone").file_type().is_char_device() && found("etc/gone").rdev() == 0);
    for path in ["var", "again", "first"] {
        let value = xattr::get(root.path().join(path), "trusted.overlay.opaque").unwrap();
        assert_eq!(value.as_deref(), Some(b"y".as_slice()), "{path}");
    }
    assert!(!root.path().join("var/.wh..wh..opq").exists() && !root.path().join("plnk").exists());
    assert!(
        found("dev/null").file_type().is_char_device()
            && found("dev/null").permissions().mode() & 0o777 == 0o666
    );
    assert_eq!(found("dev/sda").rdev(), nix::sys::stat::makedev(8, 0));
}

#[test]
#[ignore = "needs root"]
fn attributes_are_set_but_not_those_of_overlays() {
    let root = tempfile::tempdir().unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    let attributes: [(&str, &[u8]); 3] = [
        ("SCHILY.xattr.security.capability", &[1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
        ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
    ];
    builder.append_pax_extensions(attributes).unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_size(0);
    header.set_mode(0o755);
    header.set_uid(5);
    header.set_gid(6);
    builder.append_data(&mut header, "ping", io::empty()).unwrap();
    unpack(&mut Tape::new(builder.into_inner().unwrap().as_slice()), root.path(), 10).unwrap();
    let path = root.path().join("ping");
    let names: Vec<_> = xattr::list(&path).unwrap().collect();
    assert_eq!(names, ["security.capability"]);
    assert_eq!((fs::metadata(&path).unwrap().uid(), fs::metadata(&path).unwrap().gid()), (5, 6));
}

proptest! {
    #[test]
    fn no_names_topple_or_escape(names in proptest::collection::vec(("[ab./]{0,6}(\\.wh\\.)?[ab.]{0,3}", "[ab./]{0,6}", 0usize..4), 1..12)) {
        let outside = tempfile::tempdir().unwrap();
        let parts: Vec<Part> = names
            .iter()
            .map(|(path, link, kind)| match kind {
                0 => file(path, b"x"),
                1 => folder(path),
                2 => symlink(path, link),
                _ => hard_link(path, link),
            })
            .collect();
        let _ = unpacked(&parts, &outside.path().join("l"));
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    }
}
