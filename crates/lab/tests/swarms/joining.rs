//! Who may come in, who may not, and who goes.

use skep_lab::{Make, Result, until};

use crate::swarm;

#[test]
#[ignore = "needs root"]
fn wrong_tokens_open_nothing() -> Result<()> {
    let lab = swarm::founded(Make::Skep, &["a", "b", "other"])?;
    swarm::found(&lab, "other")?;
    let (a, b, other) = (lab.host("a")?, lab.host("b")?, lab.host("other")?);
    let good = swarm::token(a, "worker")?;
    let foreign = swarm::token(other, "worker")?;
    let rotated = a.docker(&["swarm", "join-token", "--rotate", "-q", "worker"])?;
    assert_ne!(rotated.trim(), good);
    let mangled = &rotated.trim()[..rotated.trim().len() - 1];
    for (token, words) in [
        ("nonsense", "invalid join token"),
        (mangled, "invalid join token"),
        (&good, "A valid join token is necessary to join this cluster"),
        (&foreign, "remote CA does not match fingerprint"),
    ] {
        let refused = b.refused(&swarm::join_words(b, a, token))?;
        assert!(refused.contains(words), "{token}: {refused}");
        assert_eq!(b.docker(&["info", "--format", "{{.Swarm.LocalNodeState}}"])?, "inactive\n", "{token}");
    }
    assert_eq!(a.docker(&["node", "ls", "-q"])?.lines().count(), 1);

    b.docker(&swarm::join_words(b, a, rotated.trim()))?;
    swarm::until_node(a, "b", "Ready")
}

#[test]
#[ignore = "needs root"]
fn a_manager_that_cannot_be_dialled_back_is_not_taken() -> Result<()> {
    let lab = swarm::founded(Make::Skep, &["a", "b"])?;
    let (a, b) = (lab.host("a")?, lab.host("b")?);
    let token = swarm::token(a, "manager")?;
    let words = ["swarm", "join", "--advertise-addr", "10.77.0.99", "--token", &token, &swarm::door(a)];
    let refused = b.refused(&words)?;
    assert!(refused.contains("could not connect to prospective new cluster member"), "{refused}");
    until("the group is as it was", || {
        let managers = a.docker(&["node", "ls", "--format", "{{.ManagerStatus}}"]).ok()?;
        (managers.split_whitespace().collect::<Vec<_>>() == ["Leader"]).then_some(())
    })?;
    a.docker(&["config", "ls"]).map(drop)
}

#[test]
#[ignore = "needs root"]
fn managers_are_made_and_unmade_while_the_swarm_works() -> Result<()> {
    let lab = swarm::swarm_of(&["a", "b", "c"], &["d"])?;
    let (a, d) = (lab.host("a")?, lab.host("d")?);
    swarm::create_sleepers(a, "web", "4", &[])?;
    swarm::until_on(a, "web", 4, &["a", "b", "c", "d"])?;
    let before = swarm::running(a, "web")?;

    a.docker(&["node", "promote", "d"])?;
    swarm::until_manager(a, "d", &["Reachable"])?;
    until("d answers as a manager", || d.docker(&["node", "ls"]).ok())?;
    let leader = swarm::until_leader(d, &[])?;
    d.docker(&["node", "demote", &leader])?;
    let new = swarm::until_leader(d, &[&leader])?;
    swarm::until_manager(lab.host(&new)?, &leader, &[""])?;
    let demoted = lab.host(&leader)?;
    until("the demoted one is a worker", || {
        demoted.refused(&["node", "ls"]).ok()?.contains("Worker nodes can't be used").then_some(())
    })?;
    assert!(!demoted.data().join("swarm/raft").exists(), "a worker keeps no book");
    assert_eq!(swarm::running(lab.host(&new)?, "web")?, before, "no task is moved by all this");
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn two_managers_are_warned_and_the_last_one_stays() -> Result<()> {
    let lab = swarm::swarm_of(&["a", "b"], &[])?;
    let a = lab.host("a")?;
    let warnings = || a.docker(&["info", "--format", "{{.Swarm.Warnings}}"]);
    assert!(warnings()?.contains("Running Swarm in a two-manager configuration"), "{}", warnings()?);
    a.docker(&["node", "demote", "b"])?;
    until("nobody is warned any more", || (warnings().ok()?.trim() == "[]").then_some(()))?;
    let refused = a.refused(&["node", "demote", "a"])?;
    assert!(refused.contains("attempting to demote the last manager of the swarm"), "{refused}");
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn who_leaves_or_is_removed_is_out() -> Result<()> {
    let lab = swarm::swarm_of(&["a"], &["b", "c"])?;
    let (a, b, c) = (lab.host("a")?, lab.host("b")?, lab.host("c")?);
    swarm::create_sleepers(a, "web", "3", &[])?;
    swarm::until_on(a, "web", 3, &["a", "b", "c"])?;

    b.docker(&["swarm", "leave"])?;
    swarm::until_node(a, "b", "Down")?;
    assert!(b.docker(&["ps", "-q"])?.is_empty(), "who leaves takes its tasks along");
    swarm::until_on(a, "web", 3, &["a", "c"])?;
    a.docker(&["node", "rm", "b"])?;

    let refused = a.refused(&["node", "rm", "c"])?;
    assert!(refused.contains("is not down and can't be removed"), "{refused}");
    a.docker(&["node", "rm", "--force", "c"])?;
    until("the removed node runs nothing any more", || {
        c.docker(&["ps", "-q"]).ok()?.is_empty().then_some(())
    })?;
    until("its certificate is refused", || c.last_words().contains("was removed from swarm").then_some(()))?;
    swarm::until_on(a, "web", 3, &["a"])?;
    c.docker(&["swarm", "leave", "--force"])?;
    swarm::join(&lab, "c", "a", "worker")?;
    let refused = a.refused(&["swarm", "leave"])?;
    assert!(refused.contains("Removing the last manager erases all current state of the swarm"), "{refused}");
    a.docker(&["swarm", "leave", "--force"]).map(drop)
}
