//! Our own CLI says what the stock one says, for the same socket: tables, templates, pages, times and refusals.

use std::process::Output;

use crate::host::Host;

/// Commands that only look, in words that both understand; blanks part the words, and a tab stands for `\t`.
const LOOKS: &[&str] = &[
    "service ls",
    "service ls -q",
    "service ls --format json",
    "service ls --format {{.ID}}|{{.Name}}|{{.Mode}}|{{.Replicas}}|{{.Image}}|{{.Ports}}",
    "service ls --format table@{{.Name}}\t{{.Replicas}} --filter name=web",
    "service ps web",
    "service ps web -q",
    "service ps web --no-trunc",
    "service ps web --format json",
    "service ps web --no-resolve --format {{.Name}}|{{.Node}}",
    "service inspect web",
    "service inspect --pretty web",
    "service inspect --pretty all",
    "service inspect web --format {{.Spec.Name}}|{{json@.Spec.Labels}}|{{.Spec.Mode.Replicated.Replicas}}",
    "service inspect web --format {{range@.Endpoint.Ports}}{{.PublishedPort}}:{{.TargetPort}}{{end}}",
    "node ls",
    "node ls -q",
    "node ls --format json",
    "node ls --format {{.ID}}|{{.Hostname}}|{{.Status}}|{{.Availability}}|{{.ManagerStatus}}|{{.TLSStatus}}|{{.Self}}",
    "node inspect self",
    "node inspect self --pretty",
    "node ps",
    "node ps self -q",
    "swarm join-token -q worker",
    "swarm ca",
    "secret ls",
    "secret ls -q",
    "secret ls --format json",
    "secret ls --format table@{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Labels}}\t{{.Label@\"zone\"}}",
    "secret inspect key",
    "secret inspect --pretty key",
    "config ls",
    "config ls --format json",
    "config inspect site",
    "config inspect --pretty site",
    "volume ls",
    "volume ls -q",
    "volume ls --format json",
    "volume ls --format table@{{.Name}}\t{{.Driver}}\t{{.Scope}}\t{{.Mountpoint}}\t{{.Labels}}\t{{.Links}}\t{{.Size}}",
    "volume inspect data",
    "network ls",
    "network ls -q",
    "network ls --no-trunc",
    "network ls --format json",
    "network ls --format table@{{.ID}}\t{{.IPv4}}\t{{.IPv6}}\t{{.Internal}}\t{{.Labels}}\t{{.CreatedAt}}",
    "network inspect bridge",
    "ps",
    "ps -a",
    "ps -q --no-trunc",
    "ps --format json --filter name=mine",
    "ps -a --format table@{{.ID}}\t{{.Names}}\t{{.Mounts}}\t{{.LocalVolumes}}\t{{.Networks}}\t{{.Label@\"zone\"}}",
    "ps -n 1",
    "container ls --filter name=mine",
    "inspect mine busybox:test web data",
    "inspect --type volume data",
    "port mine",
    "port mine 80",
    "top mine -o pid,args",
    "images",
    "images -q",
    "images --digests",
    "images --no-trunc",
    "images --format json",
    "history busybox:test",
    "history -H=false busybox:test",
    "image inspect busybox:test",
    "info --format {{.Swarm.LocalNodeState}}",
    "version --format {{.Server.Version}}",
];

/// Commands that are refused; both end with the same code and say the same.
const REFUSALS: &[&str] = &[
    "service ps nope",
    "service inspect nope",
    "service rm nope",
    "service scale nope=2",
    "service logs nope",
    "node inspect nope",
    "node promote nope",
    "secret inspect nope",
    "secret rm nope",
    "secret create x",
    "config inspect nope",
    "volume inspect nope",
    "volume rm nope",
    "network inspect nope",
    "network create --gateway 1.2.3.4 x",
    "network create --subnet 10.0.0.0/8 --subnet 10.0.0.0/9 x",
    "logs nope",
    "stop nope",
    "start nope",
    "rename nope x",
    "attach nope",
    "attach ended",
    "exec nope x",
    "exec mine false",
    "port mine 99",
    "wait nope",
    "rm nope",
    "rmi nope",
    "cp nope:/x /tmp",
    "cp mine:/x mine:/y",
    "update mine",
    "stats --no-stream nope",
    "swarm init",
    "swarm join 127.0.0.1:2377",
    "swarm unlock",
    "swarm unlock-key",
    "swarm leave",
    "node demote self",
];

/// A line of words; `@` stands for a blank within a word.
fn words(line: &str) -> Vec<String> {
    line.split(' ').map(|word| word.replace('@', " ")).collect()
}

fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

#[test]
#[ignore = "needs root"]
fn both_command_lines_say_the_same() {
    let host = furnished();
    for line in LOOKS {
        let words = words(line);
        // Between the two a second may pass, and with it what times are called; on a slow machine it often does.
        let alike = (0..30).any(|_| host.skep(&borrowed(&words)) == host.docker(&borrowed(&words)));
        if !alike {
            assert_eq!(host.skep(&borrowed(&words)), host.docker(&borrowed(&words)), "{line:?}");
        }
    }
}

#[test]
#[ignore = "needs root"]
fn both_command_lines_refuse_the_same() {
    let host = furnished();
    let told = |output: &Output| {
        let text =
            String::from_utf8_lossy(&output.stderr).replace("docker:", "skep:").replace("'docker ", "'skep ");
        (output.status.code(), text, String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for line in REFUSALS {
        let words = words(line);
        let (ours, stock) = (host.try_skep(&borrowed(&words)), host.try_docker(&borrowed(&words)));
        assert_eq!(told(&ours), told(&stock), "{line:?}");
        assert!(!ours.status.success(), "{line:?}");
    }
}

/// A machine with something of every kind.
fn furnished() -> Host {
    let host = Host::start_swarm();
    let create = "service create --name web --replicas 2 --label zone=north --publish 18083:80 --no-resolve-image \
                  --restart-delay 0s --detach --env A=1 --limit-memory 64m --constraint node.role==manager \
                  --mount type=volume,src=kept,dst=/kept --health-cmd true --health-interval 1s --update-delay 1s --cap-add NET_ADMIN \
                  --ulimit nofile=100:200 --update-order start-first busybox:test httpd -f -p 80";
    host.skep(&create.split_whitespace().collect::<Vec<_>>());
    host.skep(&words_of(
        "service create --name all --mode global --no-resolve-image -d busybox:test sleep 9999",
    ));
    std::fs::write(host.path("file"), "hello\n").expect("files can be written");
    let file = host.path("file").display().to_string();
    host.skep(&["secret", "create", "--label", "zone=north", "--label", "bare=", "key", &file]);
    host.skep(&["config", "create", "--label", "zone=north", "site", &file]);
    assert_eq!(host.skep(&words_of("volume create --label zone=north data")), "data\n");
    host.skep(&words_of(
        "run -d --name mine -p 18084:80 -v data:/data --label zone=north busybox:test sleep 9999",
    ));
    host.skep(&words_of("run --name ended busybox:test true"));
    host.until_replicas("web", "2/2");
    host.until_replicas("all", "1/1");
    host
}

fn words_of(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

#[test]
#[ignore = "needs root"]
fn what_is_made_can_be_changed_and_removed() {
    let host = furnished();
    assert_eq!(host.skep(&["service", "scale", "--detach", "web=3"]), "web scaled to 3\n");
    host.until_replicas("web", "3/3");
    let update = "service update --detach --no-resolve-image --env-add B=2 --env-rm A --label-rm zone \
                  --publish-rm 80 --host-add db:1.2.3.4 --dns-add 1.1.1.1 --group-add 10 web";
    host.skep(&update.split_whitespace().collect::<Vec<_>>());
    let shown = host.docker(&[
        "service",
        "inspect",
        "web",
        "--format",
        "{{json .Spec.TaskTemplate.ContainerSpec.Env}} {{json .Spec.Labels}} {{json .Spec.EndpointSpec.Ports}} \
         {{json .Spec.TaskTemplate.ContainerSpec.Hosts}} {{json .Spec.TaskTemplate.ContainerSpec.Groups}}",
    ]);
    assert_eq!(shown, "[\"B=2\"] {} null [\"1.2.3.4 db\"] [\"10\"]\n");
    assert_eq!(host.skep(&["service", "rm", "web", "all"]), "web\nall\n");
    assert_eq!(host.skep(&["rm", "-f", "mine", "ended"]), "mine\nended\n");
    assert_eq!(host.skep(&["volume", "rm", "data"]), "data\n");
    assert_eq!(host.skep(&["secret", "rm", "key"]), "key\n");
    assert_eq!(host.skep(&["config", "rm", "site"]), "site\n");
    assert_eq!(host.skep(&["secret", "ls", "-q"]), "");
}

#[test]
#[ignore = "needs root"]
fn containers_end_as_their_processes_do() {
    let host = Host::start();
    host.load_busybox();
    let code = |line: &str| host.try_skep(&words_of(line)).status.code();
    assert_eq!(code("run --rm busybox:test true"), Some(0));
    assert_eq!(host.try_skep(&["run", "--rm", "busybox:test", "sh", "-c", "exit 7"]).status.code(), Some(7));
    assert_eq!(code("run --rm busybox:test nope"), Some(127));
    assert_eq!(code("run --rm busybox:test /tmp"), Some(126));
    assert_eq!(code("run --rm --memory 1 busybox:test true"), Some(125));
    assert_eq!(code("run --rm --publish foo busybox:test true"), Some(125));
    assert_eq!(code("run --rm --pull never registry.invalid/none"), Some(125));
    let cidfile = host.path("cid");
    let ran = host.skep(&["run", "--cidfile", &cidfile.display().to_string(), "busybox:test", "echo", "hi"]);
    assert_eq!(ran, "hi\n");
    let id = std::fs::read_to_string(cidfile).expect("the id was written");
    assert_eq!(host.skep(&["wait", &id]), "0\n");
    assert_eq!(host.skep(&["start", "--attach", &id]), "hi\n");
}
