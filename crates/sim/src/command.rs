//! What users and enemies do, one line each.
//!
//! In: a line of a script, or of a storm. Out: the swarm, to which it was done, and what is to be shown.

use control::leader::{Request, Rollback, Rotation};
use model::node::{Availability, NodeRole};
use model::{
    ClusterSpec, Network, NetworkSpec, NodeSpec, SecretSpec, Service, ServiceMode, ServiceSpec, Task,
    TaskState,
};
use raft::Lead;

use crate::network::Weather;
use crate::story::{node_name, task_name, without_ids};
use crate::swarm::{Broken, NodeNumber, Swarm};
use crate::wish::{change, duration, plain};

/// A line that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The line cannot be read.
    #[error("cannot read \"{0}\"")]
    Unreadable(String),
    /// It was read and done, and something broke.
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// Does what a line says; returns what it shows.
pub fn run(swarm: &mut Swarm, line: &str) -> Result<Vec<String>, CommandError> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let unreadable = || CommandError::Unreadable(line.to_owned());
    let [verb, rest @ ..] = words.as_slice() else { return Err(unreadable()) };
    match *verb {
        "after" => {
            let time = rest.first().and_then(|word| duration(word)).ok_or_else(unreadable)?;
            swarm.run(time)?;
            Ok(Vec::new())
        }
        "tasks" => Ok(tasks(swarm)),
        "managers" => Ok(managers(swarm)),
        "services" => Ok(services(swarm)),
        _ if disturb(swarm, verb, rest).is_some() => Ok(Vec::new()),
        _ => {
            let request = request(swarm, verb, rest).ok_or_else(unreadable)?;
            let answer = swarm.ask(request)?;
            let no = answer.err().map(|refusal| format!("no: {}", without_ids(&refusal.message)));
            Ok(no.into_iter().collect())
        }
    }
}

/// What an enemy does to machines and ways; nothing if the line is no such thing.
fn disturb(swarm: &mut Swarm, verb: &str, rest: &[&str]) -> Option<()> {
    let node = |swarm: &Swarm| rest.first().and_then(|name| swarm.number(name));
    let other = |swarm: &Swarm| rest.get(1).and_then(|name| swarm.number(name));
    match verb {
        "depose" => swarm.leader().map(|leader| {
            swarm.crash_manager(leader);
            swarm.start_manager(leader);
        }),
        "hand" => node(swarm).zip(swarm.leader()).map(|(to, leader)| swarm.hand_over(leader, to)),
        "fill" => node(swarm).map(|node| swarm.fill_disk(node, true)),
        "empty" => node(swarm).map(|node| swarm.fill_disk(node, false)),
        "trip" => {
            node(swarm).and_then(|node| swarm.machine_mut(node).disk.as_mut()).map(|disk| disk.trips = true)
        }
        "leap" => node(swarm)
            .zip(rest.get(1).and_then(|word| duration(word)))
            .map(|(node, by)| swarm.leap(node, by)),
        "correct" => node(swarm).map(|node| swarm.correct(node)),
        "cut-way" => node(swarm).zip(other(swarm)).map(|(from, to)| swarm.cut_way(from, to)),
        "split" => {
            let one: Option<Vec<NodeNumber>> = rest.iter().map(|name| swarm.number(name)).collect();
            swarm.split(&one?);
            Some(())
        }
        "crash" => node(swarm).map(|node| swarm.crash_machine(node)),
        "stop" => node(swarm).map(|node| swarm.crash_daemon(node)),
        "start" => node(swarm).map(|node| {
            if !swarm.machine(node).node.is_up {
                swarm.boot(node);
            }
        }),
        "cut" => node(swarm).map(|node| swarm.cut_off(node)),
        "heal" if rest.is_empty() => {
            swarm.numbers().for_each(|number| swarm.network.heal(number));
            Some(())
        }
        "heal" => node(swarm).map(|node| swarm.network.heal(node)),
        "kill" => {
            let (node, task) = running(swarm, rest.first()?)?;
            swarm.crash_container(node, task);
            Some(())
        }
        "weather" => {
            let [loss, echo, delay] = rest else { return None };
            let delay = duration(delay)?;
            swarm.network.weather = Weather { loss: loss.parse().ok()?, echo: echo.parse().ok()?, delay };
            Some(())
        }
        _ => None,
    }
}

/// The running task of this name.
fn running(swarm: &Swarm, name: &str) -> Option<(NodeNumber, model::TaskId)> {
    let runs = |task: &&std::sync::Arc<Task>| {
        task.status.state == TaskState::Running && task_name(task, swarm.book()) == name
    };
    let task = swarm.book().tasks.iter().find(runs)?;
    let node = swarm.numbers().find(|number| Some(swarm.machine(*number).node.id) == task.node_id)?;
    Some((node, task.id))
}

fn request(swarm: &Swarm, verb: &str, rest: &[&str]) -> Option<Request> {
    let book = swarm.book();
    let [name, rest @ ..] = rest else { return None };
    let service = |name: &str| book.services.named(name).next();
    match verb {
        "create" => {
            let mut spec = plain(name);
            change(&mut spec, rest, book).ok()?;
            Some(Request::CreateService(Box::new(spec)))
        }
        "update" => {
            let mut spec = service(name)?.spec.clone();
            change(&mut spec, rest, book).ok()?;
            Some(update(service(name)?, spec, Rollback::None))
        }
        "scale" => {
            let (name, replicas) = name.split_once('=')?;
            let mut spec = service(name)?.spec.clone();
            spec.mode = ServiceMode::Replicated { replicas: replicas.parse().ok()? };
            Some(update(service(name)?, spec, Rollback::None))
        }
        "rollback" => Some(update(service(name)?, ServiceSpec::default(), Rollback::Previous)),
        "remove" => Some(Request::RemoveService(service(name)?.id)),
        "network" => {
            let mut spec = NetworkSpec::default();
            (*name).clone_into(&mut spec.annotations.name);
            Some(Request::CreateNetwork(Box::new(spec)))
        }
        "remove-network" => {
            let network: &Network = book.networks.named(name).next()?;
            Some(Request::RemoveNetwork(network.id))
        }
        "secret" => {
            let mut spec = SecretSpec { data: b"word".to_vec(), ..SecretSpec::default() };
            (*name).clone_into(&mut spec.annotations.name);
            Some(Request::CreateSecret(Box::new(spec)))
        }
        "history" => {
            let cluster = book.cluster()?;
            let spec =
                ClusterSpec { task_history_retention_limit: name.parse().ok()?, ..cluster.spec.clone() };
            let (id, version) = (cluster.id, cluster.meta.version);
            Some(Request::UpdateCluster { id, version, spec: Box::new(spec), rotation: Rotation::default() })
        }
        _ => node_request(swarm, verb, name, rest),
    }
}

fn node_request(swarm: &Swarm, verb: &str, name: &str, rest: &[&str]) -> Option<Request> {
    let node = swarm.book().nodes.get(swarm.machine(swarm.number(name)?).node.id)?;
    let mut spec: NodeSpec = node.spec.clone();
    match verb {
        "drain" => spec.availability = Availability::Drain,
        "pause" => spec.availability = Availability::Pause,
        "activate" => spec.availability = Availability::Active,
        "promote" => spec.desired_role = NodeRole::Manager,
        "demote" => spec.desired_role = NodeRole::Worker,
        "label" => {
            for word in rest {
                let (key, value) = word.split_once('=')?;
                spec.annotations.labels.insert(key.to_owned(), value.to_owned());
            }
        }
        "expel" => return Some(Request::RemoveNode { id: node.id, force: true }),
        _ => return None,
    }
    Some(Request::UpdateNode { id: node.id, version: node.meta.version, spec })
}

fn update(service: &Service, spec: ServiceSpec, rollback: Rollback) -> Request {
    let (id, version) = (service.id, service.meta.version);
    Request::UpdateService { id, version, spec: Box::new(spec), rollback }
}

/// All tasks, as a table.
fn tasks(swarm: &Swarm) -> Vec<String> {
    let mut lines: Vec<String> = swarm
        .book()
        .tasks
        .iter()
        .map(|task| {
            let name = task_name(task, swarm.book());
            let node = task.node_id.map(|node| node_name(node, swarm.book())).unwrap_or_default();
            let err = &task.status.err;
            let line =
                format!("{name:<10} {:<9} wished {:<9} {node} {err}", task.status.state, task.desired_state);
            line.trim_end().to_owned()
        })
        .collect();
    lines.sort();
    lines
}

/// All managers, with what each knows of who leads.
fn managers(swarm: &Swarm) -> Vec<String> {
    let name = |id| swarm.homes.get(&id).map_or("?", |home| swarm.truth.name(*home));
    let line = |number: NodeNumber| {
        let machine = swarm.machine(number);
        let manager = machine.manager.as_ref()?;
        let lead = match manager.lead {
            Lead::Nobody { .. } => "knows no leader".to_owned(),
            Lead::Other { leader, .. } => format!("follows {}", name(leader)),
            Lead::Elected { .. } => "is elected".to_owned(),
            Lead::Established { .. } => "leads".to_owned(),
        };
        let members: Vec<&str> = manager.members.present.values().map(|it| swarm.truth.name(*it)).collect();
        Some(format!("{} {lead}, of {}", swarm.truth.name(number), members.join(" ")))
    };
    swarm.numbers().filter_map(line).collect()
}

/// All services, with how many of their tasks run, their ports and addresses.
fn services(swarm: &Swarm) -> Vec<String> {
    let line = |service: &std::sync::Arc<Service>| {
        let name = &service.spec.annotations.name;
        let runs = |task: &&std::sync::Arc<Task>| task.status.state == TaskState::Running;
        let running = swarm.book().tasks_of(service.id).filter(runs).count();
        let endpoint = service.endpoint.clone().unwrap_or_default();
        let ports = endpoint.ports.iter().map(|port| format!(":{}", port.published_port));
        let ips = endpoint.virtual_ips.iter().map(|ip| ip.addr.clone());
        let all: Vec<String> = ips.chain(ports).collect();
        format!("{name:<6} {running} running {}", all.join(" ")).trim_end().to_owned()
    };
    let mut lines: Vec<String> = swarm.book().services.iter().map(line).collect();
    lines.sort();
    lines
}
