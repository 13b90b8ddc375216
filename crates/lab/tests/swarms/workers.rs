//! Workers that are lost, and workers that lose their managers.

use skep_lab::{Result, until};

use crate::swarm;

#[test]
#[ignore = "needs root"]
fn a_lost_workers_tasks_are_replaced_and_not_moved_back() -> Result<()> {
    let mut lab = swarm::swarm_of(&["a"], &["b", "c"])?;
    let a = lab.host("a")?;
    a.docker(&["swarm", "update", "--dispatcher-heartbeat", "1s"])?;
    swarm::create_sleepers(a, "web", "4", &["--constraint", "node.role==worker"])?;
    swarm::until_on(a, "web", 4, &["b", "c"])?;

    lab.cut("c")?;
    lab.host_mut("c")?.kill()?;
    let a = lab.host("a")?;
    swarm::until_node(a, "c", "Down")?;
    swarm::until_on(a, "web", 4, &["b"])?;
    let moved = swarm::running(a, "web")?;

    lab.mend("c")?;
    lab.host_mut("c")?.start()?;
    let (a, c) = (lab.host("a")?, lab.host("c")?);
    swarm::until_node(a, "c", "Ready")?;
    until("what ran there is gone", || c.docker(&["ps", "-q"]).ok()?.is_empty().then_some(()))?;
    assert_eq!(swarm::running(a, "web")?, moved);
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn a_worker_cut_off_keeps_its_tasks_and_reports_when_it_is_back() -> Result<()> {
    let mut lab = swarm::swarm_of(&["a"], &["b"])?;
    let a = lab.host("a")?;
    // The manager shall not give it up meanwhile.
    a.docker(&["swarm", "update", "--dispatcher-heartbeat", "60s"])?;
    swarm::create_sleepers(a, "web", "3", &["--constraint", "node.hostname==b"])?;
    swarm::until_on(a, "web", 3, &["b"])?;
    let tasks = swarm::running(a, "web")?;
    let containers = |lab: &skep_lab::Lab| {
        let shown = lab.host("b")?.docker(&["ps", "--no-trunc", "--format", "{{.ID}}"])?;
        let mut ids: Vec<String> = shown.lines().map(str::to_owned).collect();
        ids.sort();
        Ok::<_, skep_lab::Trouble>(ids)
    };
    let before = containers(&lab)?;

    lab.cut("b")?;
    lab.host_mut("b")?.kill()?;
    lab.host_mut("b")?.start()?;
    assert_eq!(containers(&lab)?, before);
    lab.host("b")?.docker(&["kill", &before[0]])?;
    lab.mend("b")?;

    let a = lab.host("a")?;
    until("the manager hears what happened meanwhile", || {
        a.docker(&["service", "ps", "web"]).ok()?.contains("task: non-zero exit (137)").then_some(())
    })?;
    swarm::until_on(a, "web", 3, &["b"])?;
    let kept = swarm::running(a, "web")?.into_iter().filter(|task| tasks.contains(task)).count();
    assert_eq!(kept, 2);
    Ok(())
}
