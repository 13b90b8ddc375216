//! `load`, `save`, `import`, and what becomes of images afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;

use futures_util::TryStreamExt;
use model::image::ImageRef;
use proptest::prelude::*;
use serde_json::json;
use tar::EntryType;

use super::{
    assert_empty, config, docker_archive, file, folder, hard_link, no_uses, part, some_layers, streamed,
    symlink, tar,
};
use crate::image::digest::Digest;
use crate::image::{
    ImageFilter, ImageId, Images, ImportOptions, Insistence, Progress, Removed, Use, UseState, Uses,
};

struct Store {
    folder: tempfile::TempDir,
    images: Images,
}

fn store() -> Store {
    let folder = tempfile::tempdir().unwrap();
    let images = Images::open(folder.path()).unwrap();
    Store { folder, images }
}

async fn load(images: &Images, archive: &[u8]) -> Result<ImageId, String> {
    let loaded = images.load(streamed(archive), Progress::silent()).await;
    loaded.map(|loaded| loaded[0].id).map_err(|error| error.message)
}

fn name(text: &str) -> ImageRef {
    ImageRef::parse(text).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn layout(layers: &[Vec<u8>], annotations: serde_json::Value) -> Vec<u8> {
    let blob = |bytes: &[u8]| file(&format!("blobs/sha256/{}", Digest::of(bytes).hex()), bytes);
    let about = |bytes: &[u8]| json!({ "mediaType": "x", "digest": Digest::of(bytes), "size": bytes.len() });
    let config = config(layers);
    let packed: Vec<Vec<u8>> =
        layers.iter().map(|layer| zstd::encode_all(layer.as_slice(), 1).unwrap()).collect();
    let manifest = json!({
        "schemaVersion": 2, "config": about(&config), "layers": packed.iter().map(|layer| about(layer)).collect::<Vec<_>>(),
    });
    let manifest = manifest.to_string().into_bytes();
    let mut entry = about(&manifest);
    entry["annotations"] = annotations;
    let index = json!({ "schemaVersion": 2, "manifests": [entry] });
    let mut parts: Vec<_> = packed.iter().map(|layer| blob(layer)).collect();
    parts.extend([blob(&config), blob(&manifest), file("index.json", index.to_string().as_bytes())]);
    parts.insert(0, folder("blobs/"));
    tar(&parts)
}

#[tokio::test]
async fn an_archive_of_docker_save_is_loaded_however_it_is_packed() {
    let archive = docker_archive("web:1", &some_layers());
    for packed in [archive.clone(), gzip(&archive), zstd::encode_all(archive.as_slice(), 1).unwrap()] {
        let Store { folder: _folder, images } = store();
        let id = load(&images, &packed).await.unwrap();
        assert_eq!(images.resolve("web:1").unwrap(), id);
        assert_eq!(images.config(id).unwrap().env, ["A=1"]);
        let layers = images.layers(id).unwrap();
        assert_eq!(fs::read(layers[0].join("etc/name")).unwrap(), b"high");
        assert_eq!(fs::read(layers[1].join("etc/name")).unwrap(), b"low");
    }
}

#[tokio::test]
async fn what_is_saved_can_be_loaded_elsewhere() {
    let first = store();
    let id = load(&first.images, &gzip(&docker_archive("web:1", &some_layers()))).await.unwrap();
    first.images.tag("web:1", &name("localhost:5000/web")).unwrap();
    let names = ["web:1".to_owned(), id.0.short()];
    let chunks: Vec<_> = first.images.save(&names).unwrap().try_collect().await.unwrap();
    let archive = chunks.concat();
    let second = store();
    assert_eq!(load(&second.images, &archive).await.unwrap(), id);
    let inspect = second.images.inspect("web:1").unwrap();
    assert_eq!(inspect.repo_tags, ["web:1", "localhost:5000/web:latest"]);
    assert!(first.images.save(&["none".to_owned()]).is_err());
}

#[tokio::test]
async fn an_oci_layout_is_loaded_under_its_full_name() {
    for (annotations, names) in [
        (json!({ "io.containerd.image.name": "docker.io/library/web:2" }), vec!["web:2"]),
        (json!({ "org.opencontainers.image.ref.name": "lan:5000/web:2" }), vec!["lan:5000/web:2"]),
        (json!({ "org.opencontainers.image.ref.name": "latest" }), vec![]),
        (json!({}), vec![]),
    ] {
        let Store { folder: _folder, images } = store();
        let id = load(&images, &layout(&some_layers(), annotations)).await.unwrap();
        assert_eq!(images.inspect(&id.to_string()).unwrap().repo_tags, names);
        assert_eq!(images.layers(id).unwrap().len(), 2);
    }
}

#[tokio::test]
async fn evil_archives_are_refused_and_leave_nothing() {
    let layers = some_layers();
    let good = docker_archive("web", &layers);
    let manifest = |text: &str| file("manifest.json", text.as_bytes());
    let evil_layer = vec![tar(&[symlink("a", "/etc"), file("a/evil", b"x")])];
    let cut_layer = vec![layers[0][..700].to_vec()];
    let bomb = zstd::encode_all(tar(&[file("zeros", &vec![0; 130 << 20])]).as_slice(), 1).unwrap();
    let one = |config: &str, layer: &str| {
        manifest(&format!(r#"[{{"Config":"{config}","RepoTags":null,"Layers":["{layer}"]}}]"#))
    };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", Vec::new(), "neither manifest.json nor index.json"),
        ("text", b"hello".repeat(200), "checksum is wrong"),
        ("cut", good[..3000].to_vec(), "ends in the middle"),
        ("cut gzip", gzip(&good)[..200].to_vec(), "end too early"),
        ("bzip2", b"BZh9hello".to_vec(), "bzip2"),
        ("bomb", bomb, "250 times its size"),
        ("parent", tar(&[file("../evil", b"x")]), "leads out of the archive"),
        ("absolute", tar(&[file("/evil", b"x")]), "leads out of the archive"),
        ("link outside", tar(&[symlink("a", "../../etc/passwd")]), "leads out of the archive"),
        ("device", tar(&[part(EntryType::Block, "sda")]), "devices or links"),
        ("hard link", tar(&[hard_link("a", "b")]), "devices or links"),
        ("garbled", tar(&[manifest("[{")]), "manifest.json"),
        ("wrong shape", tar(&[manifest("{}")]), "manifest.json"),
        ("no config", tar(&[one("c", "l")]), "which it does not have"),
        ("config outside", tar(&[one("../c", "l")]), "leads out"),
        ("bad config", tar(&[file("c", b"{"), file("l", b""), one("c", "l")]), "invalid image configuration"),
        ("bad name", docker_archive("Not A Name", &layers), "invalid reference format"),
        ("evil layer", docker_archive("web", &evil_layer), "by a symbolic link"),
        ("cut layer", docker_archive("web", &cut_layer), "ends in the middle"),
        ("fewer layers", tar(&[file("c", &config(&layers)), file("l", b""), one("c", "l")]), "speaks of 2 layers"),
        ("other layer", tar(&[file("c", &config(&layers[..1])), file("l", &layers[1]), one("c", "l")]), "should have digest"),
        ("layout without image", tar(&[file("index.json", br#"{"schemaVersion":2,"manifests":[{"mediaType":"x","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":1}]}"#)]), "which it does not have"),
    ];
    let Store { folder, images } = store();
    for (what, archive, reason) in cases {
        let error = load(&images, &archive).await.unwrap_err();
        assert!(error.contains(reason), "{what}: {error}");
        assert_empty(&images, folder.path());
    }
    load(&images, &good).await.unwrap();
}

#[tokio::test]
async fn a_client_that_vanishes_leaves_nothing() {
    let Store { folder, images } = store();
    let archive = docker_archive("web", &some_layers());
    let broken = streamed(&archive[..2000]);
    let lost = futures_util::stream::iter([Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))]);
    let error =
        images.load(futures_util::StreamExt::chain(broken, lost), Progress::silent()).await.unwrap_err();
    assert!(error.message.contains("connection reset"), "{error}");
    assert_empty(&images, folder.path());
}

#[tokio::test]
async fn images_are_there_after_a_restart_and_leftovers_are_not() {
    let Store { folder, images } = store();
    let id = load(&images, &docker_archive("web", &some_layers())).await.unwrap();
    fs::create_dir(folder.path().join("l/zz")).unwrap();
    fs::write(folder.path().join("drafts/7"), "half").unwrap();
    fs::write(folder.path().join("blobs/sha256").join(Digest::of(b"x").hex()), "x").unwrap();
    drop(images);
    let images = Images::open(folder.path()).unwrap();
    assert_eq!(images.resolve("web").unwrap(), id);
    assert!(images.layers(id).unwrap().iter().all(|layer| layer.is_dir()));
    assert!(!folder.path().join("l/zz").exists() && !folder.path().join("drafts/7").exists());
    assert_eq!(fs::read_dir(folder.path().join("blobs/sha256")).unwrap().count(), 3);
}

#[tokio::test]
async fn the_static_busybox_becomes_an_image() {
    let Ok(busybox) = fs::read("/bin/busybox") else { return };
    let Store { folder: _folder, images } = store();
    let archive = tar(&[
        folder("bin/"),
        super::Part { mode: 0o755, ..file("bin/busybox", &busybox) },
        symlink("bin/sh", "busybox"),
    ]);
    let options = ImportOptions {
        name: Some(name("busybox:static")),
        changes: vec!["CMD [\"/bin/sh\"]".into(), "EXPOSE 80".into()],
        message: "from Debian".into(),
        platform: None,
    };
    let id = images.import(streamed(&gzip(&archive)), options).await.unwrap();
    let layers = images.layers(id).unwrap();
    assert_eq!(fs::read(layers[0].join("bin/busybox")).unwrap().len(), busybox.len());
    let inspect = serde_json::to_value(images.inspect("busybox:static").unwrap()).unwrap();
    assert_eq!(inspect["Config"]["Cmd"], json!(["/bin/sh"]));
    assert_eq!(inspect["Config"]["ExposedPorts"], json!({ "80/tcp": {} }));
    assert_eq!((&inspect["Comment"], &inspect["Os"]), (&json!("from Debian"), &json!("linux")));
    assert_eq!(inspect["Size"], json!(busybox.len()));
    assert_eq!(images.history("busybox:static").unwrap()[0].comment, "from Debian");
}

#[tokio::test]
async fn a_wrong_import_leaves_nothing() {
    let Store { folder, images } = store();
    for (archive, change, reason) in [
        (tar(&[]), "RUN x", "not a valid change command"),
        (tar(&[file("../x", b"")]), "CMD x", "leads out"),
        (b"no archive at all".repeat(100), "CMD x", "checksum is wrong"),
    ] {
        let options = ImportOptions { changes: vec![change.into()], ..ImportOptions::default() };
        let error = images.import(streamed(&archive), options).await.unwrap_err();
        assert!(error.message.contains(reason), "{error}");
        assert_empty(&images, folder.path());
    }
}

#[tokio::test]
async fn lists_show_what_the_filter_wants() {
    let Store { folder: _folder, images } = store();
    load(&images, &docker_archive("web:1", &some_layers())).await.unwrap();
    load(&images, &docker_archive("db:1", &some_layers()[..1])).await.unwrap();
    images.tag("web:1", &name("web:2")).unwrap();
    let shown = |filter: ImageFilter| {
        let list = images.list(&filter, &no_uses()).unwrap();
        list.into_iter().flat_map(|image| image.repo_tags).collect::<Vec<_>>().join(" ")
    };
    let none = ImageFilter::default;
    assert_eq!(shown(ImageFilter { references: vec!["web:*".into()], ..none() }), "web:1 web:2");
    assert_eq!(shown(ImageFilter { references: vec!["*:2".into()], ..none() }), "web:2");
    assert_eq!(shown(ImageFilter { labels: vec!["color=blue".into()], ..none() }), "");
    assert_eq!(
        shown(ImageFilter { labels: vec!["color".into()], references: vec!["db".into()], ..none() }),
        "db:1"
    );
    assert_eq!(shown(ImageFilter { dangling: Some(true), ..none() }), "");
    assert_eq!(shown(ImageFilter { before: Some("web:1".into()), ..none() }), "");
    assert!(images.list(&ImageFilter { since: Some("none".into()), ..none() }, &no_uses()).is_err());
    let usage = images.usage(&no_uses()).unwrap();
    assert_eq!(usage.layers_size, 6 + 5004);
    assert!(usage.images.iter().all(|image| image.shared_size == 6));
}

#[tokio::test]
async fn images_go_with_their_last_name_unless_they_are_used() {
    let Store { folder, images } = store();
    let id = load(&images, &docker_archive("web:1", &some_layers())).await.unwrap();
    images.tag("web:1", &name("other:1")).unwrap();
    let used = |state| Uses(BTreeMap::from([(id, vec![Use { container: "c0ffee".into(), state }])]));
    let refused =
        |name: &str, insistence, uses: &Uses| images.remove(name, insistence, uses).unwrap_err().message;

    let short = id.0.short();
    assert!(refused(&short, Insistence::Careful, &no_uses()).contains("multiple repositories"));
    assert_eq!(
        images.remove("other:1", Insistence::Careful, &used(UseState::Running)).unwrap(),
        [Removed::Untagged("other:1".into())]
    );
    assert!(refused("web:1", Insistence::Careful, &used(UseState::Stopped)).contains("must force"));
    assert!(refused("web:1", Insistence::Forced, &used(UseState::Running)).contains("cannot be forced"));
    assert!(
        refused(&short, Insistence::Careful, &used(UseState::Stopped)).contains("stopped container c0ffee")
    );
    assert!(refused("none", Insistence::Forced, &no_uses()).contains("No such image: none:latest"));

    assert_eq!(
        images.remove("web:1", Insistence::Forced, &used(UseState::Stopped)).unwrap(),
        [Removed::Untagged("web:1".into())]
    );
    assert!(images.layers(id).unwrap()[0].is_dir(), "what a stopped container stands on stays");
    let pruned = images.prune(&ImageFilter::default(), &used(UseState::Stopped)).unwrap();
    assert_eq!((pruned.images_deleted.len(), pruned.space_reclaimed), (0, 0));
    let pruned = images.prune(&ImageFilter::default(), &no_uses()).unwrap();
    assert_eq!(pruned.images_deleted.len(), 3);
    assert!(pruned.space_reclaimed > 5000);
    assert_empty(&images, folder.path());
}

#[tokio::test]
async fn a_shared_layer_stays_until_its_last_image_goes() {
    let Store { folder, images } = store();
    let web = load(&images, &docker_archive("web", &some_layers())).await.unwrap();
    load(&images, &docker_archive("db", &some_layers()[..1])).await.unwrap();
    assert_eq!(images.remove("db", Insistence::Careful, &no_uses()).unwrap().len(), 2);
    assert!(images.layers(web).unwrap().iter().all(|layer| layer.is_dir()));
    images.remove("web", Insistence::Careful, &no_uses()).unwrap();
    assert_empty(&images, folder.path());
}

#[tokio::test]
async fn an_image_that_cannot_be_read_is_shown_and_can_be_removed() {
    let Store { folder, images } = store();
    let id = load(&images, &docker_archive("web", &some_layers())).await.unwrap();
    load(&images, &docker_archive("db", &some_layers()[..1])).await.unwrap();
    fs::write(folder.path().join("blobs/sha256").join(id.0.hex()), "{").unwrap();
    drop(images);
    let images = Images::open(folder.path()).unwrap();
    assert_eq!(images.list(&ImageFilter::default(), &no_uses()).unwrap().len(), 2);
    assert!(images.config(id).unwrap_err().message.contains("invalid image configuration"));
    images.remove("web", Insistence::Careful, &no_uses()).unwrap();
    images.remove("db", Insistence::Careful, &no_uses()).unwrap();
    assert_empty(&images, folder.path());
}

#[tokio::test]
#[ignore = "needs root"]
async fn a_full_disk_is_told_and_nothing_half_is_kept() {
    use nix::mount::{MntFlags, MsFlags, mount, umount2};
    let folder = tempfile::tempdir().unwrap();
    mount(Some("tmpfs"), folder.path(), Some("tmpfs"), MsFlags::empty(), Some("size=256k")).unwrap();
    let images = Images::open(folder.path()).unwrap();
    let big = vec![tar(&[file("big", &vec![7; 200 << 10])])];
    let error = load(&images, &docker_archive("web", &big)).await;
    let small = load(&images, &docker_archive("web", &some_layers())).await;
    let left = images.list(&ImageFilter::default(), &no_uses()).map(|list| list.len());
    drop(images);
    umount2(folder.path(), MntFlags::MNT_DETACH).unwrap();
    assert!(error.unwrap_err().contains("no space left on device"));
    assert!(small.is_ok() && left == Ok(1), "{small:?}");
}

#[tokio::test]
#[ignore = "needs root"]
async fn an_overlay_of_the_layers_shows_the_image() {
    use nix::mount::{MntFlags, MsFlags, mount, umount2};
    let Store { folder, images } = store();
    let low =
        tar(&[file("a/gone", b"x"), file("a/kept", b"low"), file("b/hidden", b"x"), file("c/deep", b"x")]);
    let high =
        tar(&[file("a/.wh.gone", b""), file("b/.wh..wh..opq", b""), file("b/new", b"y"), file(".wh.c", b"")]);
    let id = load(&images, &docker_archive("web", &[low, high])).await.unwrap();
    let target = folder.path().join("merged");
    fs::create_dir(&target).unwrap();
    let layers: Vec<String> =
        images.layers(id).unwrap().iter().map(|layer| layer.display().to_string()).collect();
    let options = format!("lowerdir={}", layers.join(":"));
    mount(Some("overlay"), &target, Some("overlay"), MsFlags::MS_RDONLY, Some(options.as_str())).unwrap();
    let shown = |path: &str| {
        let mut names: Vec<_> =
            fs::read_dir(target.join(path)).unwrap().map(|found| found.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let (root, a, b) = (shown(""), shown("a"), shown("b"));
    umount2(&target, MntFlags::MNT_DETACH).unwrap();
    assert_eq!((root, a, b), (vec!["a".into(), "b".into()], vec!["kept".into()], vec!["new".into()]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn garbage_topples_nothing(at in 0usize..12000, bytes in proptest::collection::vec(any::<u8>(), 1..40), garbage in any::<bool>()) {
        let mut archive = if garbage { bytes.clone() } else { docker_archive("web", &some_layers()) };
        for (place, byte) in archive.iter_mut().skip(at).zip(&bytes) {
            *place = *byte;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let Store { folder, images } = store();
        if runtime.block_on(load(&images, &archive)).is_err() {
            assert_empty(&images, folder.path());
        }
    }
}
