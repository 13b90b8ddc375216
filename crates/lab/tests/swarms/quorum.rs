//! Managers that are lost, one after the other, until too few are left; and that come back.

use skep_lab::{Host, Lab, Result, until};

use crate::swarm;

/// What a client hears when too few managers are there.
const NO_LEADER: &str = "The swarm does not have a leader. It's possible that too few managers are online.";

fn create_config(host: &Host, name: &str) -> Result<String> {
    host.api().post("/configs/create", &serde_json::json!({ "Name": name, "Data": "YQ==" }))
}

fn configs(host: &Host) -> Option<Vec<String>> {
    let shown = host.docker(&["config", "ls", "--format", "{{.Name}}"]).ok()?;
    let mut names: Vec<String> = shown.lines().map(str::to_owned).collect();
    names.sort();
    Some(names)
}

#[test]
#[ignore = "needs root"]
fn five_managers_work_without_two_and_refuse_without_three() -> Result<()> {
    let names = ["a", "b", "c", "d", "e"];
    let mut lab = swarm::swarm_of(&names, &[])?;
    swarm::create_sleepers(lab.host("a")?, "web", "5", &[])?;
    swarm::until_on(lab.host("a")?, "web", 5, &names)?;

    let first = swarm::until_leader(lab.host("a")?, &[])?;
    let others: Vec<&str> = names.into_iter().filter(|name| *name != first).collect();
    lab.host_mut(&first)?.kill()?;
    lab.host_mut(others[0])?.kill()?;
    let rest = &others[1..];
    swarm::until_leader(lab.host(rest[0])?, &[&first, others[0]])?;
    create_config(lab.host(rest[0])?, "with-three")?;
    until("every manager has it", || {
        rest.iter()
            .all(|name| lab.host(name).ok().and_then(configs) == Some(vec!["with-three".to_owned()]))
            .then_some(())
    })?;

    lab.host_mut(rest[0])?.kill()?;
    let left = &rest[1..];
    until_lost(&lab, left)?;
    for name in left {
        let refused = lab.host(name)?.refused(&["node", "ls"])?;
        assert!(refused.contains(NO_LEADER), "{refused}");
        let running = lab.host(name)?.docker(&["ps", "-q"])?;
        assert!(!running.is_empty(), "tasks go on without managers");
    }

    lab.host_mut(&first)?.start()?;
    swarm::until_leader(lab.host(left[0])?, &[others[0], rest[0]])?;
    until("writes are taken again", || create_config(lab.host(left[0]).ok()?, "again").ok())?;
    lab.host_mut(others[0])?.start()?;
    lab.host_mut(rest[0])?.start()?;
    for name in names {
        let manager = lab.host(name)?;
        until("a manager that was away has caught up", || {
            configs(manager)?.contains(&"again".to_owned()).then_some(())
        })?;
        swarm::until_manager(manager, name, &["Reachable", "Leader"])?;
    }
    swarm::until_replicas(lab.host("a")?, "web", "5/5")
}

/// Waits until none of these managers takes a write, and says why in the known words.
fn until_lost(lab: &Lab, managers: &[&str]) -> Result<()> {
    for name in managers {
        let host = lab.host(name)?;
        let mut number = 0;
        until("writes are refused", || {
            number += 1;
            let answered = create_config(host, &format!("without-{name}-{number}"));
            answered.is_err_and(|trouble| trouble.to_string().contains(NO_LEADER)).then_some(())
        })?;
    }
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn a_leader_cut_off_is_replaced_and_takes_no_write_alone() -> Result<()> {
    let names = ["a", "b", "c"];
    let mut lab = swarm::swarm_of(&names, &[])?;
    let old = swarm::until_leader(lab.host("a")?, &[])?;
    let rest: Vec<&str> = names.into_iter().filter(|name| *name != old).collect();
    lab.part(&[&old], &rest)?;
    let new = swarm::until_leader(lab.host(rest[0])?, &[&old])?;
    create_config(lab.host(&new)?, "majority")?;
    until_lost(&lab, &[&old])?;

    lab.heal()?;
    until("the old leader knows what the majority decided, and nothing else", || {
        (configs(lab.host(&old).ok()?)? == ["majority"]).then_some(())
    })?;
    swarm::until_manager(lab.host(&old)?, &old, &["Reachable", "Leader"])
}
