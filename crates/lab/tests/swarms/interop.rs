//! Beside the stock daemon: its nodes in our swarm, and ours in its.

use skep_lab::{BUSYBOX, Host, Lab, Make, Result, until};

use crate::swarm;

/// What each task of the chatty service says once.
const GREETING: &str = "echo \"hello $WORD from $(hostname)\"; exec sleep 100000";

/// Lets a worker live its whole life under a manager of the other make.
fn live(lab: &Lab) -> Result<()> {
    let manager = lab.host("manager")?;
    let worker = lab.host("worker")?;
    swarm::join(lab, "worker", "manager", "worker")?;
    let words = ["--replicas", "3", "--stop-signal", "KILL", "--env", "WORD=one", "--constraint"];
    let on_worker = ["node.hostname==worker", BUSYBOX, "sh", "-c", GREETING];
    swarm::create(manager, "web", &[&words[..], &on_worker].concat())?;
    swarm::until_replicas(manager, "web", "3/3")?;
    assert_eq!(worker.docker(&["ps", "-q"])?.lines().count(), 3);
    until_greeted(manager, "one")?;

    manager.docker(&[
        "service",
        "update",
        "--detach",
        "--no-resolve-image",
        "--update-parallelism",
        "0",
        "--update-monitor",
        "100ms",
        "--env-add",
        "WORD=two",
        "web",
    ])?;
    swarm::until_updated(manager, "web")?;
    until_greeted(manager, "two")?;

    swarm::create_sleepers(manager, "movers", "2", &["--constraint", "node.labels.no!=where"])?;
    swarm::until_replicas(manager, "movers", "2/2")?;
    manager.docker(&["node", "update", "--availability", "drain", "worker"])?;
    swarm::until_on(manager, "movers", 2, &["manager"])?;
    until("the drained worker is empty", || worker.docker(&["ps", "-q"]).ok()?.is_empty().then_some(()))?;
    manager.docker(&["node", "update", "--availability", "active", "worker"])?;
    swarm::until_on(manager, "web", 3, &["worker"])?;

    worker.docker(&["swarm", "leave"])?;
    swarm::until_node(manager, "worker", "Down")?;
    manager.docker(&["node", "rm", "worker"])?;
    assert_eq!(manager.docker(&["node", "ls", "--format", "{{.Hostname}}"])?, "manager\n");
    Ok(())
}

/// Waits until every one of the three tasks has said this word, as a reader of the service's logs sees it.
fn until_greeted(manager: &Host, word: &str) -> Result<()> {
    let greeting = format!("hello {word} from ");
    until(&format!("all tasks said {word}"), || {
        let said = manager.docker(&["service", "logs", "--raw", "web"]).ok()?;
        (said.lines().filter(|line| line.starts_with(&greeting)).count() == 3).then_some(())
    })
}

#[test]
#[ignore = "needs root"]
fn a_stock_node_lives_in_our_swarm() -> Result<()> {
    let mut lab = swarm::founded(Make::Skep, &["manager"])?;
    lab.add("worker", Make::Stock)?;
    live(&lab)
}

#[test]
#[ignore = "needs root"]
fn our_node_lives_in_a_stock_swarm() -> Result<()> {
    let mut lab = swarm::founded(Make::Stock, &["manager"])?;
    lab.add("worker", Make::Skep)?;
    live(&lab)
}

#[test]
#[ignore = "needs root"]
fn our_node_follows_a_stock_swarm_to_another_root() -> Result<()> {
    let mut lab = swarm::founded(Make::Stock, &["manager"])?;
    lab.add("worker", Make::Skep)?;
    swarm::join(&lab, "worker", "manager", "worker")?;
    let (manager, worker) = (lab.host("manager")?, lab.host("worker")?);
    let root = || std::fs::read(worker.data().join("swarm/certificates/swarm-root-ca.crt")).ok();
    let before = root();
    let words = ["--constraint", "node.hostname==worker"];
    swarm::create_sleepers(manager, "web", "1", &words)?;
    swarm::until_replicas(manager, "web", "1/1")?;
    let tasks = swarm::running(manager, "web")?;

    manager.docker(&["swarm", "ca", "--rotate", "--quiet"])?;
    until("the worker trusts the other root", || (root()? != before.clone()?).then_some(()))?;
    swarm::until_node(manager, "worker", "Ready")?;
    manager.docker(&["service", "scale", "--detach", "web=2"])?;
    swarm::until_replicas(manager, "web", "2/2")?;
    let after = swarm::running(manager, "web")?;
    assert!(tasks.iter().all(|task| after.contains(task)), "a new certificate moves no task");
    Ok(())
}
