//! The story that every swarm begins with: three nodes, three managers, three replicas, and a leader that is lost.

use std::collections::BTreeSet;

use skep_lab::{BUSYBOX, Host, Lab, Make, Result, until};

use crate::swarm;

/// A command line: it takes words and says something.
type Say = fn(&Host, &[&str]) -> Result<String>;

fn play(say: Say) -> Result<()> {
    let mut lab = Lab::of(Make::Skep, &["a", "b", "c"])?;
    let [a, b, c] = [lab.host("a")?, lab.host("b")?, lab.host("c")?];
    let (at_a, at_b, at_c) = (a.address().to_string(), b.address().to_string(), c.address().to_string());
    let door = swarm::door(a);
    say(a, &["swarm", "init", "--advertise-addr", &at_a])?;
    let token = |role: &str| {
        Ok::<_, skep_lab::Trouble>(say(a, &["swarm", "join-token", "-q", role])?.trim().to_owned())
    };

    say(b, &["swarm", "join", "--advertise-addr", &at_b, "--token", &token("worker")?, &door])?;
    swarm::until_node(a, "b", "Ready")?;
    let refused = say(b, &["node", "ls"]).expect_err("a worker shows no nodes").to_string();
    assert!(refused.contains("Worker nodes can't be used to view or modify cluster state"), "{refused}");

    say(a, &["node", "promote", "b"])?;
    swarm::until_manager(a, "b", &["Reachable"])?;
    until("b answers as a manager", || say(b, &["node", "ls"]).ok())?;
    say(c, &["swarm", "join", "--advertise-addr", &at_c, "--token", &token("manager")?, &door])?;
    swarm::until_manager(a, "c", &["Reachable"])?;

    let words = ["service", "create", "--detach", "--no-resolve-image", "--name", "web", "--replicas", "3"];
    say(c, &[&words[..], &["--stop-signal", "KILL", BUSYBOX, "sleep", "100000"]].concat())?;
    swarm::until_replicas(b, "web", "3/3")?;
    let nodes: BTreeSet<String> = swarm::running(c, "web")?.into_iter().map(|(_, node)| node).collect();
    assert_eq!(nodes, ["a", "b", "c"].map(str::to_owned).into());
    for name in ["a", "b", "c"] {
        let shown = say(b, &["node", "ps", name, "--format", "{{.Name}} {{.Node}}"])?;
        assert!(shown.starts_with("web.") && shown.ends_with(&format!(" {name}\n")), "{shown}");
    }

    let lost = swarm::until_leader(b, &[])?;
    lab.host_mut(&lost)?.kill()?;
    let rest: Vec<&str> = ["a", "b", "c"].into_iter().filter(|name| *name != lost).collect();
    let survivor = lab.host(rest[0])?;
    swarm::until_leader(survivor, &[&lost])?;
    say(survivor, &["service", "scale", "--detach", "web=4"])?;
    swarm::until_manager(survivor, &lost, &["Unreachable"])?;
    until("four tasks run", || (swarm::running(survivor, "web").ok()?.len() == 4).then_some(()))?;

    lab.host_mut(&lost)?.start()?;
    swarm::until_manager(lab.host(&lost)?, &lost, &["Reachable", "Leader"])?;
    swarm::until_node(lab.host(rest[0])?, &lost, "Ready")?;
    say(lab.host(&lost)?, &["service", "rm", "web"])?;
    for host in lab.hosts() {
        until("no container is left", || host.docker(&["ps", "-q"]).ok()?.is_empty().then_some(()))?;
    }
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn three_nodes_through_the_stock_command_line() -> Result<()> {
    play(|host, words| host.docker(words))
}
#[test]
#[ignore = "needs root"]
fn three_nodes_through_our_command_line() -> Result<()> {
    play(|host, words| host.skep(words))
}
