//! Keys and certificates of swarms at work: locked managers, and roots that follow each other.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use skep_lab::{Host, Make, Result, Trouble, until};

use crate::swarm;

/// A key that is one, but not this swarm's.
const WRONG_KEY: &str = "SWMKEY-1-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
/// How often a manager is killed while it begins to be locked.
const KILLS: usize = 6;

fn file(host: &Host, name: &str) -> String {
    fs::read_to_string(host.data().join("swarm/certificates").join(name)).unwrap_or_default()
}

/// Waits until a manager's key is sealed, and its log has the key that was to follow; or until it is open.
fn until_sealed(host: &Host, sealed: bool) -> Result<String> {
    until(&format!("the key of {} is sealed: {sealed}", host.name()), || {
        let key = file(host, "swarm-node.key");
        let is_settled = !key.contains("raft-dek-pending") && !key.contains("needs-rotation");
        let is_sealed = key.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----");
        (is_settled && is_sealed == sealed && !key.is_empty()).then_some(key)
    })
}

/// What the stock command line says when this key is typed in.
fn unlock(host: &Host, key: &str) -> Result<std::result::Result<(), String>> {
    let doing = format!("unlocking {}", host.name());
    let failed = |error| Trouble::new(doing.as_str(), error);
    let mut command = host.command_line("docker")?;
    command.args(["swarm", "unlock"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(format!("{key}\n").as_bytes()).map_err(failed)?;
    drop(stdin);
    let output = child.wait_with_output().map_err(failed)?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok(if output.status.success() { Ok(()) } else { Err(said) })
}

fn standing(host: &Host) -> Result<String> {
    Ok(host.docker(&["info", "--format", "{{.Swarm.LocalNodeState}}"])?.trim().to_owned())
}

fn until_standing(host: &Host, word: &str) -> Result<()> {
    until(&format!("{} is {word}", host.name()), || (standing(host).ok()? == word).then_some(()))
}

fn unlock_key(host: &Host) -> Result<String> {
    Ok(host.docker(&["swarm", "unlock-key", "-q"])?.trim().to_owned())
}

fn autolock(host: &Host, on: bool) -> Result<()> {
    host.docker(&["swarm", "update", &format!("--autolock={on}")]).map(drop)
}

#[test]
#[ignore = "needs root"]
fn managers_are_locked_and_unlocked() -> Result<()> {
    let mut lab = swarm::founded(Make::Skep, &["one", "two", "three", "four"])?;
    swarm::join(&lab, "two", "one", "manager")?;
    swarm::join(&lab, "three", "one", "manager")?;
    let before = file(lab.host("two")?, "swarm-node.crt");
    autolock(lab.host("one")?, true)?;
    for name in ["one", "two", "three"] {
        until_sealed(lab.host(name)?, true)?;
    }
    assert_ne!(file(lab.host("two")?, "swarm-node.crt"), before, "who had the old key has nothing");
    let key = unlock_key(lab.host("three")?)?;

    lab.host_mut("two")?.stop()?;
    lab.host_mut("two")?.start()?;
    let two = lab.host("two")?;
    until_standing(two, "locked")?;
    for words in [["node", "ls"].as_slice(), &["swarm", "init", "--force-new-cluster"]] {
        let refused = two.refused(words)?;
        assert!(refused.contains("Swarm is encrypted and needs to be unlocked"), "{refused}");
    }
    let address = two.docker(&["info", "--format", "{{.Swarm.NodeAddr}}"])?;
    assert_eq!(address.trim(), two.address().to_string());
    let refused = unlock(two, WRONG_KEY)?.unwrap_err();
    assert!(refused.contains("swarm could not be unlocked: invalid key provided"), "{refused}");
    assert_eq!(standing(two)?, "locked");
    assert_eq!(unlock(two, &key)?, Ok(()));
    swarm::until_manager(lab.host("one")?, "two", &["Reachable"])?;
    let refused = unlock(two, &key)?.unwrap_err();
    assert!(refused.contains("swarm is not locked"), "{refused}");

    // A key that was changed while a manager was away: the old one opens it, the new one seals it.
    lab.host_mut("three")?.kill()?;
    lab.host("one")?.docker(&["swarm", "unlock-key", "--rotate", "-q"])?;
    let newer = unlock_key(lab.host("one")?)?;
    assert_ne!(newer, key);
    lab.host_mut("three")?.start()?;
    let three = lab.host("three")?;
    until_standing(three, "locked")?;
    assert!(unlock(three, &newer)?.is_err());
    let sealed = file(three, "swarm-node.key");
    assert_eq!(unlock(three, &key)?, Ok(()));
    until("the third manager's key is sealed anew", || {
        (file(three, "swarm-node.key") != sealed).then_some(())
    })?;
    lab.host_mut("three")?.stop()?;
    lab.host_mut("three")?.start()?;
    let three = lab.host("three")?;
    until_standing(three, "locked")?;
    assert_eq!(unlock(three, &newer)?, Ok(()));

    // A worker's key lies open, until it is a manager's.
    swarm::join(&lab, "four", "one", "worker")?;
    until_sealed(lab.host("four")?, false)?;
    lab.host("one")?.docker(&["node", "promote", "four"])?;
    swarm::until_manager(lab.host("one")?, "four", &["Reachable"])?;
    until_sealed(lab.host("four")?, true)?;
    // It may be refused while the node tells of itself.
    until("the fourth is demoted", || lab.host("one").ok()?.docker(&["node", "demote", "four"]).ok())?;
    until_sealed(lab.host("four")?, false)?;

    autolock(lab.host("one")?, false)?;
    for name in ["one", "two", "three"] {
        until_sealed(lab.host(name)?, false)?;
    }
    lab.host_mut("two")?.stop()?;
    lab.host_mut("two")?.start()?;
    until_standing(lab.host("two")?, "active")
}

#[test]
#[ignore = "needs root"]
fn a_locked_manager_goes_on_alone_and_lets_the_lost_ones_go() -> Result<()> {
    let mut lab = swarm::swarm_of(&["one", "two", "three"], &[])?;
    autolock(lab.host("one")?, true)?;
    until_sealed(lab.host("one")?, true)?;
    let key = unlock_key(lab.host("one")?)?;
    lab.host_mut("two")?.kill()?;
    lab.host_mut("three")?.kill()?;

    let one = lab.host("one")?;
    let address = one.address().to_string();
    one.docker(&["swarm", "init", "--force-new-cluster", "--advertise-addr", &address])?;
    one.docker(&["node", "demote", "two"])?;
    until("the lost one is a worker", || {
        let role = one.docker(&["node", "inspect", "two", "--format", "{{.Spec.Role}}"]).ok()?;
        (role.trim() == "worker").then_some(())
    })?;
    one.docker(&["node", "rm", "--force", "two", "three"])?;
    assert_eq!(unlock_key(one)?, key);

    lab.host_mut("one")?.stop()?;
    lab.host_mut("one")?.start()?;
    let one = lab.host("one")?;
    until_standing(one, "locked")?;
    assert_eq!(unlock(one, &key)?, Ok(()));
    until_standing(one, "active")?;
    assert_eq!(one.docker(&["node", "ls", "--format", "{{.Hostname}}"])?.trim(), "one");
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn a_manager_killed_while_it_begins_to_be_locked_loses_nothing() -> Result<()> {
    let mut lab = swarm::founded(Make::Skep, &["one"])?;
    for round in 0..KILLS {
        let one = lab.host("one")?;
        one.docker(&["config", "create", &format!("c{round}"), "/etc/hostname"])?;
        autolock(one, true)?;
        let key = unlock_key(one)?;
        lab.host_mut("one")?.kill()?;
        lab.host_mut("one")?.start()?;
        let one = lab.host("one")?;
        until("it is known how the manager is", || (standing(one).ok()? != "pending").then_some(()))?;
        if standing(one)? == "locked" {
            assert_eq!(unlock(one, &key)?, Ok(()), "round {round}");
        }
        until_standing(one, "active")?;
        until_sealed(one, true)?;
        let configs = one.docker(&["config", "ls", "-q"])?;
        assert_eq!(configs.lines().count(), round + 1, "round {round}");
        autolock(one, false)?;
        until_sealed(one, false)?;
    }
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn a_root_follows_another_under_managers_workers_and_stock_nodes() -> Result<()> {
    let mut lab = swarm::founded(Make::Skep, &["one", "two", "three", "worker"])?;
    lab.add("stock", Make::Stock)?;
    for (name, role) in [("two", "manager"), ("three", "manager"), ("worker", "worker"), ("stock", "worker")]
    {
        swarm::join(&lab, name, "one", role)?;
    }
    let one = lab.host("one")?;
    swarm::create_sleepers(one, "sleepers", "5", &[])?;
    swarm::until_replicas(one, "sleepers", "5/5")?;
    let (tasks, root) = (swarm::running(one, "sleepers")?, one.docker(&["swarm", "ca"])?);
    let token = swarm::token(one, "worker")?;

    lab.host("two")?.docker(&["swarm", "ca", "--rotate", "--quiet"])?;
    let now = one.docker(&["swarm", "ca"])?;
    assert_ne!(now, root);
    assert_ne!(swarm::token(one, "worker")?, token);
    for host in lab.hosts() {
        until(&format!("{} trusts the new root only", host.name()), || {
            (file(host, "swarm-root-ca.crt").trim() == now.trim()).then_some(())
        })?;
        swarm::until_node(one, host.name(), "Ready")?;
    }
    assert_eq!(swarm::running(one, "sleepers")?, tasks, "no task was disturbed");

    // The swarm still works in all its parts: it takes nodes in, changes their roles, and finds another leader.
    lab.host("two")?.docker(&["node", "promote", "worker"])?;
    swarm::until_manager(lab.host("two")?, "worker", &["Reachable"])?;
    lab.host_mut("one")?.kill()?;
    let two = lab.host("two")?;
    swarm::create_sleepers(two, "more", "2", &["--constraint", "node.hostname!=one"])?;
    swarm::until_replicas(two, "more", "2/2")
}
