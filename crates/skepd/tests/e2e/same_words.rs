//! Our own CLI says what the stock one says, for the same socket.

use crate::host::Host;

/// Commands that only look, in words that both understand.
const LOOKS: [&[&str]; 16] = [
    &["service", "ls"],
    &["service", "ls", "-q"],
    &["service", "ls", "--format", "{{.ID}} {{.Name}} {{.Mode}} {{.Replicas}} {{.Image}} {{.Ports}}"],
    &["service", "ls", "--format", "table {{.Name}}\t{{.Replicas}}", "--filter", "name=web"],
    &["service", "ps", "web", "-q"],
    &[
        "service",
        "ps",
        "web",
        "--format",
        "{{.ID}} {{.Name}} {{.Image}} {{.Node}} {{.DesiredState}} {{.Error}}",
    ],
    &["service", "ps", "web", "--no-trunc", "--format", "{{.ID}} {{.Name}} {{.Error}}"],
    &[
        "service",
        "inspect",
        "web",
        "--format",
        "{{.Spec.Name}} {{json .Spec.Labels}} {{.Spec.Mode.Replicated.Replicas}}",
    ],
    &[
        "service",
        "inspect",
        "web",
        "--format",
        "{{range .Endpoint.Ports}}{{.PublishedPort}}:{{.TargetPort}}{{end}}",
    ],
    &["node", "ls"],
    &["node", "ls", "-q"],
    &["node", "ls", "--format", "{{.ID}} {{.Hostname}} {{.Status}} {{.Availability}} {{.ManagerStatus}}"],
    &["node", "inspect", "self", "--format", "{{.Spec.Role}} {{.Status.State}} {{.Description.Hostname}}"],
    &["node", "ps", "self", "-q"],
    &["swarm", "join-token", "-q", "worker"],
    &["ps", "-q", "--no-trunc"],
];

#[test]
#[ignore = "needs root"]
fn both_command_lines_say_the_same() {
    let host = Host::start_swarm();
    host.skep(&[
        "service",
        "create",
        "--name",
        "web",
        "--replicas",
        "2",
        "--label",
        "zone=north",
        "--publish",
        "18083:80",
        "--no-resolve-image",
        "--restart-delay",
        "0s",
        "--detach",
        "busybox:test",
        "httpd",
        "-f",
        "-p",
        "80",
    ]);
    host.skep(&[
        "service",
        "create",
        "--name",
        "all",
        "--mode",
        "global",
        "--no-resolve-image",
        "-d",
        "busybox:test",
        "sleep",
        "9999",
    ]);
    host.until_replicas("web", "2/2");
    host.until_replicas("all", "1/1");
    for words in LOOKS {
        assert_eq!(host.skep(words), host.docker(words), "{words:?}");
    }
    assert_eq!(host.skep(&["service", "scale", "--detach", "web=3"]), "web scaled to 3\n");
    host.until_replicas("web", "3/3");
    host.skep(&["service", "update", "--detach", "--no-resolve-image", "--env-add", "A=1", "web"]);
    assert_eq!(host.skep(&["service", "rm", "web", "all"]), "web\nall\n");
}
