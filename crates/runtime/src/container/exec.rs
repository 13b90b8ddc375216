//! Further processes in a container that runs.
//!
//! In: what shall be run. Out: a conversation with it, and its exit code. Each has a supervisor of its own, so
//! that a process outlives the daemon; its exit code does not.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

use crate::container::attachment::Attachment;
use crate::container::containers::Containers;
use crate::container::description::{Confinement, Size, Terminal};
use crate::container::error::{ContainerError, Doing};
use crate::container::event::Action;
use crate::container::ground::Ground;
use crate::container::id::{ContainerId, NotAnId};
use crate::container::signal::Signal;
use crate::container::spec::document::Process;
use crate::container::spec::{self, capabilities};
use crate::container::state::{Phase, Record, StartFailure};
use crate::container::{oci, prepare};
use crate::supervisor::{self, Line, Request, Word};

/// A further process in a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExecId(ContainerId);

/// What shall be run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExecWish {
    /// In which container; always there once the wish was taken.
    pub container: Option<ContainerId>,
    /// The command line.
    pub command: Vec<String>,
    /// `NAME=value`, each, over the container's.
    pub env: Vec<String>,
    /// `user[:group]`; empty means the container's.
    pub user: String,
    /// Where it starts; empty means where the container did.
    pub working_dir: String,
    /// Whether it has a terminal.
    pub terminal: Terminal,
    /// Whether something will be written to it.
    pub stdin: ExecStdin,
    /// Whether it has all capabilities.
    pub privileged: bool,
}

/// Whether something will be written to a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExecStdin {
    /// Nothing.
    #[default]
    Closed,
    /// Something, until it is said to end.
    Open,
}

/// How a process is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecStart {
    /// With a conversation.
    Attached,
    /// By itself.
    Detached,
}

/// All that is known of a process.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecRecord {
    /// Its id.
    pub id: ExecId,
    /// What shall be run.
    pub wish: ExecWish,
    /// Where it is in its life.
    pub phase: ExecPhase,
}

/// Where a process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecPhase {
    /// Only described.
    Created,
    /// It is being started.
    Starting,
    /// It runs.
    Running {
        /// Its number on the host.
        pid: u32,
    },
    /// It has ended, or could not be started.
    Exited {
        /// Its code.
        code: i32,
    },
}

/// All such processes of a node.
#[derive(Debug, Default)]
pub(crate) struct Execs(Mutex<BTreeMap<ExecId, Entry>>);

#[derive(Debug)]
struct Entry {
    record: watch::Sender<ExecRecord>,
    requests: Option<mpsc::Sender<Request>>,
}

impl Containers {
    /// Takes a wish, without starting anything.
    ///
    /// # Errors
    /// If the container does not run, or there is no command.
    pub fn exec_create(&self, container: ContainerId, wish: ExecWish) -> Result<ExecId, ContainerError> {
        let wish = ExecWish { container: Some(container), ..wish };
        let (id, record) = create(&self.ground, wish)?;
        let command = command_line(&self.ground, id);
        self.ground.publish(&record, Action::ExecCreate { exec: id.to_string(), command });
        Ok(id)
    }

    /// Starts it; returns when it runs, with a conversation if that is wished.
    ///
    /// # Errors
    /// If it was started before, or cannot be started.
    pub async fn exec_start(&self, id: ExecId, how: ExecStart) -> Result<Option<Attachment>, ContainerError> {
        start(&self.ground, id, how).await
    }

    /// All that is known of it.
    ///
    /// # Errors
    /// If there is no such process.
    pub fn exec_inspect(&self, id: ExecId) -> Result<ExecRecord, ContainerError> {
        Ok(self.ground.execs.record(id)?.borrow().clone())
    }

    /// Gives its terminal another size.
    ///
    /// # Errors
    /// If it does not run.
    pub async fn exec_resize(&self, id: ExecId, size: Size) -> Result<(), ContainerError> {
        ask(&self.ground, id, Request::Resize(size)).await
    }

    /// The processes that were described for a container, ended ones too.
    pub fn execs_of(&self, container: ContainerId) -> Vec<ExecId> {
        let all = self.ground.execs.lock();
        let own = |entry: &&Entry| entry.record.borrow().wish.container == Some(container);
        all.values().filter(own).map(|entry| entry.record.borrow().id).collect()
    }
}

impl Execs {
    /// Forgets those of a container that is gone.
    pub(crate) fn forget(&self, container: ContainerId) {
        self.lock().retain(|_, entry| entry.record.borrow().wish.container != Some(container));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ExecId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, id: ExecId) -> Result<watch::Receiver<ExecRecord>, ContainerError> {
        let found = self.lock().get(&id).map(|entry| entry.record.subscribe());
        found.ok_or_else(|| ContainerError::ExecNotFound(id.to_string()))
    }

    fn change(&self, id: ExecId, phase: ExecPhase) {
        if let Some(entry) = self.lock().get(&id) {
            entry.record.send_modify(|record| record.phase = phase);
        }
    }
}

/// Runs something to its end, without a trace. `None` if it took too long and was killed.
pub(crate) async fn run(
    ground: &Arc<Ground>,
    wish: ExecWish,
    timeout: Duration,
) -> Result<Option<(i32, String)>, ContainerError> {
    let (id, _) = create(ground, wish)?;
    let finished = tokio::time::timeout(timeout, run_to_end(ground, id)).await;
    let result = match finished {
        Ok(result) => result.map(Some),
        Err(_) => {
            // If it cannot be asked, it has just ended.
            let _ = ask(ground, id, Request::Signal(Signal::KILL.number())).await;
            Ok(None)
        }
    };
    ground.execs.lock().remove(&id);
    result
}

async fn run_to_end(ground: &Arc<Ground>, id: ExecId) -> Result<(i32, String), ContainerError> {
    let mut seen = ground.execs.record(id)?;
    let attachment = start(ground, id, ExecStart::Attached).await?;
    let mut text = Vec::new();
    if let Some(mut attachment) = attachment {
        while let Ok(Some((_, bytes))) = attachment.output.next().await {
            let room = OUTPUT_MAX - text.len();
            text.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }
    let ended = seen.wait_for(|record| matches!(record.phase, ExecPhase::Exited { .. })).await;
    let code = match ended.map(|record| record.phase) {
        Ok(ExecPhase::Exited { code }) => code,
        _ => LOST,
    };
    Ok((code, String::from_utf8_lossy(&text).into_owned()))
}

fn create(ground: &Ground, wish: ExecWish) -> Result<(ExecId, Arc<Record>), ContainerError> {
    let container = wish.container.expect("the wish names its container");
    if wish.command.first().is_none_or(String::is_empty) {
        return Err(ContainerError::Invalid("No exec command specified".to_owned()));
    }
    let record = running_record(ground, container)?;
    let mut chance = host::chance::chance().doing(|| "drawing an id".into())?;
    let id = ExecId(ContainerId::random(&mut chance));
    let (sender, _) = watch::channel(ExecRecord { id, wish, phase: ExecPhase::Created });
    ground.execs.lock().insert(id, Entry { record: sender, requests: None });
    Ok((id, record))
}

fn running_record(ground: &Ground, id: ContainerId) -> Result<Arc<Record>, ContainerError> {
    let handle = ground.index().by_id.get(&id).cloned();
    let handle = handle.ok_or_else(|| ContainerError::NotFound(id.to_string()))?;
    let record = Arc::clone(&handle.record.borrow());
    match record.phase {
        Phase::Running(_) => Ok(record),
        Phase::Paused(_) => {
            let text = format!("Container {id} is paused, unpause the container before exec");
            Err(ContainerError::Conflict(text))
        }
        Phase::Created | Phase::Exited(_) | Phase::Removing => {
            Err(ContainerError::Conflict(format!("container {id} is not running")))
        }
    }
}

async fn start(
    ground: &Arc<Ground>,
    id: ExecId,
    how: ExecStart,
) -> Result<Option<Attachment>, ContainerError> {
    let exec = ground.execs.record(id)?.borrow().clone();
    if exec.phase != ExecPhase::Created {
        return Err(ContainerError::Conflict(format!("Error: Exec command {id} is already running")));
    }
    let record = running_record(ground, exec.wish.container.expect("the wish names its container"))?;
    ground.execs.change(id, ExecPhase::Starting);
    let launched = launch(ground, &exec, &record, how).await;
    let line = match launched {
        Ok(line) => line,
        Err(error) => {
            ground.execs.change(id, ExecPhase::Exited { code: CANNOT_RUN });
            return Err(error);
        }
    };
    let (answer, answered) = oneshot::channel();
    let (requests, received) = mpsc::channel(REQUESTS_MAX);
    if let Some(entry) = ground.execs.lock().get_mut(&id) {
        entry.requests = Some(requests);
    }
    let watch = Watch {
        ground: Arc::clone(ground),
        id,
        record,
        line,
        requests: received,
        answer: Some(answer),
        attachment: None,
    };
    ground.shutdown.spawn(watch.until_end());
    answered.await.map_err(|_| ContainerError::ShuttingDown)?
}

async fn launch(
    ground: &Arc<Ground>,
    exec: &ExecRecord,
    record: &Arc<Record>,
    how: ExecStart,
) -> Result<Line, ContainerError> {
    let (ground, exec, record) = (Arc::clone(ground), exec.clone(), Arc::clone(record));
    let folder = folder(&ground, exec.id);
    let prepared = tokio::task::spawn_blocking({
        let (ground, folder) = (Arc::clone(&ground), folder.clone());
        move || prepare_exec(&ground, &exec.wish, &record, &folder)
    });
    let mut plan = prepared.await.map_err(|_| ContainerError::ShuttingDown)??;
    if how == ExecStart::Attached {
        plan.push("held=yes".to_owned());
    }
    supervisor::launch(&ground.config.supervise, &folder, &plan).doing(|| "starting the supervisor".into())
}

fn prepare_exec(
    ground: &Ground,
    wish: &ExecWish,
    record: &Record,
    folder: &std::path::Path,
) -> Result<Vec<String>, ContainerError> {
    let oci = ground.oci()?;
    let text = serde_json::to_vec(&process(ground, wish, record)?).expect("a process is always JSON");
    host::files::make_folder(folder, host::files::Access::Private)
        .and_then(|()| fs::write(folder.join(PROCESS), text))
        .doing(|| "writing the description of a process".into())?;
    let mut plan = prepare::call_words(ground, &oci, record.id);
    plan.push(format!("process={PROCESS}"));
    if wish.terminal != Terminal::None {
        plan.push("tty=yes".to_owned());
    }
    if wish.stdin == ExecStdin::Open {
        plan.push("stdin=once".to_owned());
    }
    Ok(plan)
}

fn process(ground: &Ground, wish: &ExecWish, record: &Record) -> Result<Process, ContainerError> {
    let own = &record.description;
    let name = if wish.user.is_empty() { prepare::user_of(own) } else { &wish.user };
    let groups = if wish.user.is_empty() { own.groups.as_slice() } else { &[] };
    let user = prepare::accounts(&prepare::root_of(ground, record))?.resolve(name, groups)?;
    let privileged = wish.privileged || own.confinement.privileged;
    let granted = capabilities::granted(&Confinement { privileged, ..own.confinement.clone() })?;
    let mut described = crate::container::Description::clone(own);
    described.env.extend(wish.env.iter().cloned());
    described.terminal = wish.terminal;
    let dirs = [&wish.working_dir, &own.working_dir, &own.image.defaults.working_dir];
    Ok(Process {
        terminal: wish.terminal != Terminal::None,
        console_size: spec::console_size(wish.terminal),
        args: wish.command.clone(),
        env: spec::environment(&described, &spec::hostname(own, record.id)),
        cwd: dirs.into_iter().find(|dir| !dir.is_empty()).map_or("/", String::as_str).to_owned(),
        capabilities: spec::for_user(&granted, &user),
        user,
        rlimits: Vec::new(),
        no_new_privileges: own.confinement.no_new_privileges,
        apparmor_profile: own.confinement.apparmor.clone(),
        oom_score_adj: own.limits.oom_score_adj,
    })
}

/// Watches one process from its start to its end.
struct Watch {
    ground: Arc<Ground>,
    id: ExecId,
    record: Arc<Record>,
    line: Line,
    requests: mpsc::Receiver<Request>,
    answer: Option<oneshot::Sender<Result<Option<Attachment>, ContainerError>>>,
    attachment: Option<Attachment>,
}

impl Watch {
    async fn until_end(mut self) {
        let stop = self.ground.shutdown.token().clone();
        loop {
            let word = tokio::select! {
                () = stop.cancelled() => return,
                Some(request) = self.requests.recv() => {
                    // If the line is broken, its end is heard next.
                    let _ = self.line.say(&request).await;
                    continue;
                }
                word = self.line.next() => word.unwrap_or(None),
            };
            match word {
                Some(Word::Held) => self.let_listener_in().await,
                Some(Word::Started { pid }) => self.started(pid),
                Some(Word::Exited(ended)) => self.ended(ended.code),
                Some(Word::Output(..)) => {}
                Some(Word::Failed) => self.failed(),
                None => break,
            }
        }
        self.failed();
        if let Some(entry) = self.ground.execs.lock().get_mut(&self.id) {
            entry.requests = None;
            // Its supervisor may have been killed: then nobody saw its end.
            entry.record.send_if_modified(|record| {
                let is_over = matches!(record.phase, ExecPhase::Exited { .. });
                if !is_over {
                    record.phase = ExecPhase::Exited { code: LOST };
                }
                !is_over
            });
        }
        // A leftover is swept away with the exec root.
        let _ = host::files::remove_if_there(&folder(&self.ground, self.id));
    }

    async fn let_listener_in(&mut self) {
        if let Ok(mut line) = supervisor::connect(&folder(&self.ground, self.id)).await
            && line.say(&Request::Attach).await.is_ok()
        {
            let attachment = Attachment::new(line);
            self.attachment = match self.ground.execs.record(self.id) {
                Ok(record) => Some(attachment.with_record(record)),
                Err(_) => Some(attachment),
            };
        }
        let _ = self.line.say(&Request::Go).await;
    }

    fn started(&mut self, pid: u32) {
        self.ground.execs.change(self.id, ExecPhase::Running { pid });
        let command = command_line(&self.ground, self.id);
        self.ground.publish(&self.record, Action::ExecStart { exec: self.id.to_string(), command });
        if let Some(answer) = self.answer.take() {
            let _ = answer.send(Ok(self.attachment.take()));
        }
    }

    fn ended(&mut self, code: i32) {
        self.ground.execs.change(self.id, ExecPhase::Exited { code });
        self.ground.publish(&self.record, Action::ExecDie { exec: self.id.to_string(), exit_code: code });
    }

    /// Tells why it could not be started, if that was not told yet.
    fn failed(&mut self) {
        let Some(answer) = self.answer.take() else { return };
        let program = self.ground.oci().map(|oci| oci.program).unwrap_or_default();
        let StartFailure { exit_code, message } = oci::failure(&folder(&self.ground, self.id), &program);
        let message = match message.split_once("unable to start container process: ") {
            Some((_, reason)) => format!("OCI runtime exec failed: exec failed: {reason}"),
            None => message,
        };
        self.ground.execs.change(self.id, ExecPhase::Exited { code: i32::from(exit_code) });
        let _ = answer.send(Err(ContainerError::Start { exit_code, message }));
    }
}

async fn ask(ground: &Ground, id: ExecId, request: Request) -> Result<(), ContainerError> {
    let requests = ground.execs.lock().get(&id).map(|entry| entry.requests.clone());
    let requests = requests.ok_or_else(|| ContainerError::ExecNotFound(id.to_string()))?;
    let not_running = || ContainerError::Conflict(format!("exec {id} is not running"));
    requests.ok_or_else(not_running)?.send(request).await.map_err(|_| not_running())
}

fn folder(ground: &Ground, id: ExecId) -> PathBuf {
    ground.config.exec_root.join("execs").join(id.to_string())
}

fn command_line(ground: &Ground, id: ExecId) -> String {
    ground.execs.record(id).map(|record| record.borrow().wish.command.join(" ")).unwrap_or_default()
}

impl fmt::Display for ExecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ExecId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        text.parse().map(Self)
    }
}

const PROCESS: &str = "process.json";
const REQUESTS_MAX: usize = 16;
const OUTPUT_MAX: usize = 4096;
const CANNOT_RUN: i32 = 126;
const LOST: i32 = -1;
