//! Golden pictures of configurations: `golden/*.json` beside this file show the whole text.

use super::*;
use crate::container::description::{Confinement, ImageDefaults, ImageUse, Limits, Mount as Wished};

fn facts() -> Facts {
    Facts {
        id: "0123456789abcdef".repeat(4).parse().unwrap(),
        user: User { uid: 0, gid: 0, additional_gids: vec![10] },
        seccomp: None,
        network: NetworkPlace::Path("/run/netns/x".into()),
        etc: "/data/c".into(),
        sources: Vec::new(),
        cgroup: "/skep/c".to_owned(),
        cgroups: Cgroups::V1,
        init: None,
        neighbours: BTreeMap::new(),
    }
}

fn wish() -> Description {
    let defaults = ImageDefaults {
        entrypoint: vec!["/entry".into()],
        command: vec!["serve".into()],
        env: vec!["PATH=/bin".into(), "COLOUR=red".into()],
        working_dir: "/srv".into(),
        ..ImageDefaults::default()
    };
    Description { image: ImageUse { defaults, ..ImageUse::default() }, ..Description::default() }
}

fn check(name: &str, wish: &Description, facts: Facts) {
    let text = serde_json::to_string_pretty(&spec(wish, facts).unwrap()).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/container/spec/golden").join(name);
    if std::env::var_os("SKEP_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert!(text == golden, "{name} differs; if it should, write it anew with SKEP_GOLDEN=1\n{text}");
}

#[test]
fn a_plain_container_is_confined_as_usual() {
    check("plain.json", &wish(), facts());
}

#[test]
fn a_container_with_everything_has_everything() {
    let mut wish = wish();
    wish.command = Some(vec!["other".into()]);
    wish.env = vec!["COLOUR=blue".into(), "MORE=1".into()];
    wish.terminal = Terminal::Sized(Size { rows: 24, columns: 80 });
    wish.hostname = "named".into();
    wish.read_only_root = true;
    wish.confinement = Confinement {
        capabilities_drop: vec!["ALL".into()],
        capabilities_add: vec!["NET_ADMIN".into()],
        no_new_privileges: true,
        device_rules: vec!["c 10:200 rwm".into()],
        ..Confinement::default()
    };
    wish.limits = Limits { memory: 64 << 20, nano_cpus: 1_500_000_000, pids: 50, ..Limits::default() };
    wish.mounts = vec![
        Wished {
            source: MountSource::Tmpfs { size: 4096, mode: 0o700, options: vec!["exec".into()] },
            target: "/a/b".into(),
            access: MountAccess::Writable,
        },
        Wished {
            source: MountSource::Bind {
                path: "/host".into(),
                propagation: "rslave".into(),
                non_recursive: false,
                create: false,
            },
            target: "/a/".into(),
            access: MountAccess::ReadOnly,
        },
    ];
    let sources = vec![PathBuf::new(), PathBuf::from("/host")];
    let user = User { uid: 33, gid: 33, additional_gids: Vec::new() };
    let init = Some(PathBuf::from("/usr/bin/tini-static"));
    check("everything.json", &wish, Facts { sources, user, init, cgroups: Cgroups::V2, ..facts() });
}

#[test]
fn a_privileged_container_is_hardly_confined() {
    let mut wish = wish();
    wish.confinement.privileged = true;
    let made = spec(&wish, Facts { network: NetworkPlace::Host, ..facts() }).unwrap();
    assert_eq!(made.process.capabilities.effective.len(), capabilities::ALL.len());
    assert!(made.linux.masked_paths.is_empty() && made.linux.readonly_paths.is_empty());
    assert!(made.linux.namespaces.iter().all(|namespace| namespace.kind != "network"));
    assert!(made.linux.resources.devices[0].allow);
}

#[test]
fn a_new_entrypoint_takes_the_images_command_away() {
    let with = |entrypoint: Option<&str>, command: Option<&str>| {
        let words = |word: &str| vec![word.to_owned()];
        let wish = Description { entrypoint: entrypoint.map(words), command: command.map(words), ..wish() };
        arguments(&wish).map(|words| words.join(" ")).unwrap_or_else(|error| error.to_string())
    };
    assert_eq!(with(None, None), "/entry serve");
    assert_eq!(with(None, Some("x")), "/entry x");
    assert_eq!(with(Some("/own"), None), "/own");
    assert_eq!(with(Some("/own"), Some("x")), "/own x");
    assert_eq!(arguments(&Description::default()).unwrap_err().to_string(), "no command specified");
}

#[test]
fn paths_are_cleaned_and_the_root_is_none() {
    for (path, cleaned) in
        [("/a//b/./c/../d/", Some("/a/b/d")), ("/../a", Some("/a")), ("/", None), ("a", None)]
    {
        assert_eq!(clean(path).as_deref(), cleaned, "{path}");
    }
}
