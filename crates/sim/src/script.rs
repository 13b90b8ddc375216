//! Scripts: text with the expected transcript.
//!
//! A script is a list of blocks, divided by empty lines. A block holds lines to be done, a line `----`, and what
//! happened: refusals and tables at once, everything else with the time since the block began. A `#` begins a
//! remark. The first line is `nodes` and their names; it may go on with `managers=3`. A block lasts thirty seconds unless it says `after` how
//! long, or shows something at once.

use model::Duration;

use crate::command;
use crate::swarm::{Plan, Swarm};

/// How long a block lasts that does not say.
const BLOCK: Duration = Duration::from_secs(30);
/// The line between what is done and what happens.
const RULE: &str = "----";

/// Plays a script; returns it with the transcript that it should have.
pub fn play(script: &str) -> Result<String, String> {
    let mut swarm = None;
    let blocks = script.split("\n\n").map(str::trim_end).filter(|block| !block.trim().is_empty());
    let played: Vec<String> = blocks.map(|block| play_block(&mut swarm, block)).collect::<Result<_, _>>()?;
    Ok(played.join("\n\n") + "\n")
}

fn play_block(swarm: &mut Option<Swarm>, block: &str) -> Result<String, String> {
    let done: Vec<&str> = block.lines().take_while(|line| *line != RULE).collect();
    let mut lines = done.iter().map(|line| line.split('#').next().unwrap_or_default().trim());
    if swarm.is_none() {
        let first = lines.by_ref().find(|line| !line.is_empty()).unwrap_or_default();
        let names = first.strip_prefix("nodes ").ok_or("a script begins with its nodes")?;
        let (counts, names): (Vec<&str>, _) = names.split_whitespace().partition(|word| word.contains('='));
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let mut plan = Plan::of(&names, 1);
        for count in counts {
            let managers = count.strip_prefix("managers=").and_then(|count| count.parse().ok());
            plan.managers = managers.ok_or("how many managers?")?;
        }
        let mut new = Swarm::begin(plan);
        new.run(Duration::from_secs(1)).and_then(|()| new.gather()).map_err(|broken| broken.to_string())?;
        new.truth.story.news(new.now());
        *swarm = Some(new);
    }
    let swarm = swarm.as_mut().ok_or("a script has nodes")?;
    let begin = swarm.now();
    let mut shown = Vec::new();
    let mut says_time = false;
    for line in lines.filter(|line| !line.is_empty()) {
        says_time |= line.starts_with("after ");
        shown.extend(command::run(swarm, line).map_err(|error| error.to_string())?);
    }
    if !says_time && shown.is_empty() {
        swarm.run(BLOCK).map_err(|broken| broken.to_string())?;
    }
    shown.extend(swarm.truth.story.news(begin));
    let mut text = done.join("\n");
    if !shown.is_empty() || block.contains(RULE) {
        text = format!("{text}\n{RULE}\n{}", shown.join("\n"));
    }
    Ok(text.trim_end().to_owned())
}
