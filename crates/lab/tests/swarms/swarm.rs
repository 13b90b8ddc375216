//! What users do to swarms, in the words of the stock command line.

use skep_lab::{BUSYBOX, Host, Lab, Make, Result, until};

/// The port that managers listen on.
const PORT: u16 = 2377;

/// A lab whose first host has founded a swarm, which the others have not joined.
pub(crate) fn founded(make: Make, names: &[&str]) -> Result<Lab> {
    let lab = Lab::of(make, names)?;
    found(&lab, names[0])?;
    Ok(lab)
}

/// A lab whose first hosts are managers, and the others workers.
pub(crate) fn swarm_of(managers: &[&str], workers: &[&str]) -> Result<Lab> {
    let lab = founded(Make::Skep, &[managers, workers].concat())?;
    for name in &managers[1..] {
        join(&lab, name, managers[0], "manager")?;
    }
    for name in workers {
        join(&lab, name, managers[0], "worker")?;
    }
    Ok(lab)
}

/// Founds a swarm on this host.
pub(crate) fn found(lab: &Lab, name: &str) -> Result<()> {
    let host = lab.host(name)?;
    host.docker(&["swarm", "init", "--advertise-addr", &host.address().to_string()]).map(drop)
}

/// Joins a host to the swarm of another one, and waits until it is ready; a manager also until it is reachable.
pub(crate) fn join(lab: &Lab, name: &str, manager: &str, role: &str) -> Result<()> {
    let (host, manager) = (lab.host(name)?, lab.host(manager)?);
    host.docker(&join_words(host, manager, &token(manager, role)?))?;
    until_node(manager, name, "Ready")?;
    if role == "manager" { until_manager(manager, name, &["Reachable", "Leader"]) } else { Ok(()) }
}

/// The words by which a host joins.
pub(crate) fn join_words(host: &Host, manager: &Host, token: &str) -> Vec<String> {
    let own = host.address().to_string();
    let words = ["swarm", "join", "--advertise-addr", &own, "--token", token, &door(manager)];
    words.map(str::to_owned).to_vec()
}

/// Where a manager is joined.
pub(crate) fn door(manager: &Host) -> String {
    format!("{}:{PORT}", manager.address())
}

/// The token for a role.
pub(crate) fn token(manager: &Host, role: &str) -> Result<String> {
    Ok(manager.docker(&["swarm", "join-token", "-q", role])?.trim().to_owned())
}

/// Waits until a node is in a state, as `docker node ls` shows it.
pub(crate) fn until_node(manager: &Host, name: &str, state: &str) -> Result<()> {
    until(&format!("node {name} is {state}"), || {
        (shown(manager, name, "{{.Status}}")? == state).then_some(())
    })
}

/// Waits until a node is a manager in one of these states.
pub(crate) fn until_manager(manager: &Host, name: &str, states: &[&str]) -> Result<()> {
    let is_so = || states.contains(&shown(manager, name, "{{.ManagerStatus}}")?.as_str()).then_some(());
    until(&format!("manager {name} is one of {states:?}"), is_so)
}

fn shown(manager: &Host, name: &str, column: &str) -> Option<String> {
    let filter = format!("name={name}");
    let shown = manager.docker(&["node", "ls", "--filter", &filter, "--format", column]).ok()?;
    shown.lines().next().map(str::to_owned)
}

/// Creates a service with these words, whose image and command come last.
pub(crate) fn create(manager: &Host, name: &str, words: &[&str]) -> Result<()> {
    let begin =
        ["service", "create", "--detach", "--no-resolve-image", "--restart-delay", "0s", "--name", name];
    manager.docker(&[&begin, words].concat()).map(drop)
}

/// Creates a service that sleeps and ends at once when asked to.
pub(crate) fn create_sleepers(manager: &Host, name: &str, replicas: &str, words: &[&str]) -> Result<()> {
    let replicas = ["--replicas", replicas, "--stop-signal", "KILL"];
    create(manager, name, &[&replicas, words, &[BUSYBOX, "sleep", "100000"]].concat())
}

/// Waits until a service has so many tasks, as in `3/3`.
pub(crate) fn until_replicas(manager: &Host, service: &str, replicas: &str) -> Result<()> {
    let filter = format!("name={service}");
    until(&format!("{service} has {replicas}"), || {
        let words = ["service", "ls", "--filter", &filter, "--format", "{{.Replicas}}"];
        (manager.docker(&words).ok()?.trim() == replicas).then_some(())
    })
}

/// The running tasks of a service: each one's id and node, sorted.
pub(crate) fn running(manager: &Host, service: &str) -> Result<Vec<(String, String)>> {
    let words = [
        "service",
        "ps",
        service,
        "--filter",
        "desired-state=running",
        "--format",
        "{{.ID}} {{.Node}} {{.CurrentState}}",
    ];
    let shown = manager.docker(&words)?;
    let lines = shown.lines().filter(|line| line.contains(" Running "));
    let fields = lines.map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
    let mut tasks: Vec<_> = fields.map(|fields| (fields[0].clone(), fields[1].clone())).collect();
    tasks.sort();
    Ok(tasks)
}

/// Waits until all of so many tasks run on these nodes and no others.
pub(crate) fn until_on(manager: &Host, service: &str, count: usize, nodes: &[&str]) -> Result<()> {
    until(&format!("{service} runs on {nodes:?}"), || {
        let tasks = running(manager, service).ok()?;
        let is_there = tasks.iter().all(|(_, node)| nodes.contains(&node.as_str()));
        (tasks.len() == count && is_there).then_some(())
    })
}

/// Waits until an update of a service is over.
pub(crate) fn until_updated(manager: &Host, service: &str) -> Result<()> {
    let words = ["service", "inspect", service, "--format", "{{.UpdateStatus.State}}"];
    until(&format!("{service} is updated"), || {
        (manager.docker(&words).ok()?.trim() == "completed").then_some(())
    })
}

/// The name of the leader, as this manager knows it.
pub(crate) fn leader(manager: &Host) -> Option<String> {
    let shown = manager.docker(&["node", "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}"]).ok()?;
    shown.lines().find_map(|line| line.strip_suffix(" Leader").map(str::to_owned))
}

/// Waits until this manager knows a leader that is none of these, and names it.
pub(crate) fn until_leader(manager: &Host, not: &[&str]) -> Result<String> {
    until("there is a leader", || leader(manager).filter(|name| !not.contains(&name.as_str())))
}
