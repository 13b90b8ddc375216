//! The containers of a node: the door through which all others come.

use std::path::PathBuf;
use std::sync::Arc;

use host::files::{self, Access};
use model::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::DropGuard;

use crate::container::attachment::Attachment;
use crate::container::beneath;
use crate::container::description::{Description, Limits, Size, Surroundings};
use crate::container::error::{ContainerError, Doing};
use crate::container::event::{Action, ContainerEvent};
use crate::container::ground::{Ground, Handle, RuntimeConfig};
use crate::container::id::ContainerId;
use crate::container::keeper::{Command, Frozen, Keeper, Leavings, Occasion};
use crate::container::mounts;
use crate::container::prepare::{self, EXIT_FILE, UPPER, log_file};
use crate::container::rehearsal;
use crate::container::restart::RestartPolicy;
use crate::container::rules;
use crate::container::signal::Signal;
use crate::container::state::{Exit, Phase, Record};
use crate::container::wait::{self, WaitFor};
use crate::disk;
use crate::logs::options::LogPlan;
use crate::logs::{LogLine, LogQuery, read};
use crate::supervisor;
use crate::volume::Volumes;

/// The containers of a node. Cheap to clone; the last clone that goes lets go of the containers, which run on.
#[derive(Clone, Debug)]
pub struct Containers {
    pub(crate) ground: Arc<Ground>,
    _guard: Arc<DropGuard>,
}

/// How a container shall be stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StopWish {
    /// Which signal asks; absent means its own.
    pub signal: Option<Signal>,
    /// How long it may take before it is killed; absent means its own.
    pub grace: Option<Duration>,
}

/// How a container is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Only if it does not run.
    IfStopped(Leavings),
    /// It is killed if it runs.
    Forced(Leavings),
}

/// Where the parts of a container's root file system are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootFolders {
    /// The image's layers, the topmost first.
    pub lower: Vec<PathBuf>,
    /// What it wrote.
    pub upper: PathBuf,
    /// The kernel's own.
    pub work: PathBuf,
    /// Where all is seen as one, by its supervisor alone.
    pub merged: PathBuf,
}

impl Containers {
    /// Takes up all containers that are there: those that run go on running, the same processes as before.
    ///
    /// # Errors
    /// If the folders cannot be read or made.
    pub async fn open(config: RuntimeConfig) -> Result<Self, ContainerError> {
        for folder in [config.data_root.join("containers"), config.exec_root.join("containers")] {
            files::make_folder(&folder, Access::Private).doing(|| format!("making {}", folder.display()))?;
        }
        let volumes =
            Volumes::open(config.data_root.join("volumes")).doing(|| "reading the volumes".into())?;
        let ground = Arc::new(Ground::new(config, volumes));
        tokio::task::spawn_blocking({
            let ground = Arc::clone(&ground);
            move || ground.get_ready()
        });
        let lowest = ground.beneath();
        beneath::make(&lowest).doing(|| format!("making {}", lowest.display()))?;
        let guard = Arc::new(ground.shutdown.token().clone().drop_guard());
        let folder = ground.containers();
        let entries = std::fs::read_dir(&folder).doing(|| format!("reading {}", folder.display()))?;
        for entry in entries {
            let path = entry.doing(|| format!("reading {}", folder.display()))?.path();
            match Record::load(&path) {
                Ok(Some(record)) => take_up(&ground, record).await,
                // A container whose making or removal was cut short.
                Ok(None) => files::remove_if_there(&path).doing(|| format!("removing {}", path.display()))?,
                Err(error) => tracing::warn!(path = %path.display(), %error, "no container can be read here"),
            }
        }
        Ok(Self { ground, _guard: guard })
    }

    /// Lets go of the containers, which run on. To be called on the way down.
    pub async fn close(&self) {
        self.ground.shutdown.finish(CLOSING_MAX).await;
    }

    /// A container is about to be made or started: the kernel and the OCI runtime get ready for it meanwhile. Returns at
    /// once.
    pub fn expect_start(&self) {
        self.ground.anticipation.begin();
        rehearsal::begin(&self.ground);
    }

    /// Makes a container, without starting it.
    ///
    /// # Errors
    /// If the description breaks a rule, or its name is taken.
    pub async fn create(&self, mut description: Description) -> Result<ContainerId, ContainerError> {
        let chance = host::chance::chance().doing(|| "drawing an id".into());
        let id = ContainerId::random(&mut chance?);
        mounts::with_image_volumes(&mut description);
        rules::check(&description)?;
        let name = description.name.clone();
        self.take_name(&name, id)?;
        let ground = Arc::clone(&self.ground);
        let made = tokio::task::spawn_blocking(move || make(&ground, id, description)).await;
        match made.unwrap_or(Err(ContainerError::ShuttingDown)) {
            Ok(record) => {
                self.ground.publish(&record, Action::Create);
                let handle = Keeper::hire(&self.ground, record, None);
                self.ground.index().by_id.insert(id, handle);
                Ok(id)
            }
            Err(error) => {
                self.ground.index().by_name.remove(&name);
                Err(error)
            }
        }
    }

    /// Starts a container; returns when it runs. Without surroundings, those of its last start hold.
    ///
    /// # Errors
    /// If it runs already, or cannot be started.
    pub async fn start(
        &self,
        id: ContainerId,
        surroundings: Option<Surroundings>,
    ) -> Result<(), ContainerError> {
        self.start_on(id, surroundings, Occasion::Wished).await
    }

    /// The same, also for a container that is due to be started again.
    ///
    /// # Errors
    /// As [`Containers::start`], or if it is not due any more.
    pub async fn start_on(
        &self,
        id: ContainerId,
        surroundings: Option<Surroundings>,
        occasion: Occasion,
    ) -> Result<(), ContainerError> {
        self.ask(id, |answer| Command::Start(surroundings, occasion, answer)).await
    }

    /// Asks a container to end, and kills it when its grace is over; returns when it has ended.
    ///
    /// # Errors
    /// If it does not run.
    pub async fn stop(&self, id: ContainerId, wish: StopWish) -> Result<(), ContainerError> {
        let mut handle = self.handle(id)?;
        let record = Arc::clone(&handle.record.borrow());
        if record.running().is_none() {
            if record.restarts.due.is_none() {
                return Err(ContainerError::NotModified("container already stopped".into()));
            }
            tell(&handle, Command::MarkStopped).await?;
            // A start that is under way is not called off: what it leads to is ended.
            let decided = |record: &Arc<Record>| record.running().is_some() || record.restarts.due.is_none();
            let runs = handle.record.wait_for(decided).await.is_ok_and(|record| record.running().is_some());
            if !runs {
                return Ok(());
            }
        }
        self.end(&handle, wish).await?;
        let ended = Arc::clone(&handle.record.borrow());
        self.ground.publish(&ended, Action::Stop);
        Ok(())
    }

    async fn end(&self, handle: &Handle, wish: StopWish) -> Result<(), ContainerError> {
        let record = Arc::clone(&handle.record.borrow());
        let own_signal = || Signal::of_container(&record.description);
        let signal = wish.signal.map_or_else(own_signal, Ok)?;
        let grace = wish.grace.or(record.description.stop_grace).unwrap_or(GRACE);
        let mut seen = handle.record.clone();
        tell(handle, Command::MarkStopped).await?;
        if matches!(record.phase, Phase::Paused(_)) {
            ask(handle, |answer| Command::Freeze(Frozen::Moving, answer)).await?;
        }
        self.signal_unless_over(handle, signal).await?;
        if wait::ended_within(&mut seen, record.exits, grace).await {
            return Ok(());
        }
        self.signal_unless_over(handle, Signal::KILL).await?;
        if wait::ended_within(&mut seen, record.exits, KILL_MAX).await {
            return Ok(());
        }
        let text = format!(
            "cannot stop container {}: tried to kill container, but did not receive an exit event",
            record.id
        );
        Err(ContainerError::Conflict(text))
    }

    /// That it has ended meanwhile is what is wanted.
    async fn signal_unless_over(&self, handle: &Handle, signal: Signal) -> Result<(), ContainerError> {
        match ask(handle, |answer| Command::Signal(signal.number(), answer)).await {
            Err(ContainerError::Conflict(_)) => Ok(()),
            other => other,
        }
    }

    /// Sends a signal to the first process of a container.
    ///
    /// # Errors
    /// If it does not run.
    pub async fn kill(&self, id: ContainerId, signal: Signal) -> Result<(), ContainerError> {
        let handle = self.handle(id)?;
        let own = Signal::of_container(&handle.record.borrow().description);
        if signal == Signal::KILL || own.is_ok_and(|own| own == signal) {
            tell(&handle, Command::MarkStopped).await?;
        }
        ask(&handle, |answer| Command::Signal(signal.number(), answer)).await
    }

    /// Tells all who listen that somebody stopped a container and started it again.
    ///
    /// # Errors
    /// If there is no such container.
    pub fn tell_restarted(&self, id: ContainerId) -> Result<(), ContainerError> {
        self.ground.publish(&*self.inspect(id)?, Action::Restart);
        Ok(())
    }

    /// Lets all processes of a container stand still.
    ///
    /// # Errors
    /// If it does not run.
    pub async fn pause(&self, id: ContainerId) -> Result<(), ContainerError> {
        self.ask(id, |answer| Command::Freeze(Frozen::Still, answer)).await
    }

    /// Lets them go on.
    ///
    /// # Errors
    /// If it is not paused.
    pub async fn unpause(&self, id: ContainerId) -> Result<(), ContainerError> {
        self.ask(id, |answer| Command::Freeze(Frozen::Moving, answer)).await
    }

    /// Waits, and returns how the last process ended; `None` if there never was one.
    ///
    /// # Errors
    /// If there is no such container.
    pub async fn wait(&self, id: ContainerId, what: WaitFor) -> Result<Option<Exit>, ContainerError> {
        let seen = self.handle(id)?.record;
        Ok(wait::exit(seen, what).await)
    }

    /// Leaves nothing of a container.
    ///
    /// # Errors
    /// If it runs and is not to be forced, or the machine says no.
    pub async fn remove(&self, id: ContainerId, removal: Removal) -> Result<(), ContainerError> {
        let handle = self.handle(id)?;
        match removal {
            Removal::IfStopped(leavings) => ask(&handle, |answer| Command::Remove(leavings, answer)).await,
            Removal::Forced(leavings) => self.remove_by_force(&handle, leavings).await,
        }
    }

    async fn remove_by_force(&self, handle: &Handle, leavings: Leavings) -> Result<(), ContainerError> {
        loop {
            // A start that is under way is waited for: only then is known what there is to end.
            drop(handle.files.lock().await);
            if handle.record.borrow().running().is_some() {
                self.end(handle, StopWish { signal: Some(Signal::KILL), grace: Some(KILL_MAX) }).await?;
            }
            match ask(handle, |answer| Command::Remove(leavings, answer)).await {
                // It was started in between.
                Err(ContainerError::Conflict(_)) => {}
                other => return other,
            }
        }
    }

    /// All that is known of a container.
    ///
    /// # Errors
    /// If there is no such container.
    pub fn inspect(&self, id: ContainerId) -> Result<Arc<Record>, ContainerError> {
        Ok(Arc::clone(&self.handle(id)?.record.borrow()))
    }

    /// What is known of a container, whenever it changes.
    ///
    /// # Errors
    /// If there is no such container.
    pub fn watch(&self, id: ContainerId) -> Result<watch::Receiver<Arc<Record>>, ContainerError> {
        Ok(self.handle(id)?.record)
    }

    /// All containers, in the order of their ids.
    pub fn list(&self) -> Vec<Arc<Record>> {
        self.ground.index().by_id.values().map(|handle| Arc::clone(&handle.record.borrow())).collect()
    }

    /// The container that is meant by an id, a name, or the beginning of an id.
    ///
    /// # Errors
    /// If there is none, or there are several.
    pub fn resolve(&self, text: &str) -> Result<ContainerId, ContainerError> {
        let index = self.ground.index();
        let full = text.parse().ok().filter(|id| index.by_id.contains_key(id));
        let named = || index.by_name.get(text.trim_start_matches('/')).copied();
        if let Some(id) = full.or_else(named).filter(|id| index.by_id.contains_key(id)) {
            return Ok(id);
        }
        let is_prefix = !text.is_empty() && text.bytes().all(|letter| letter.is_ascii_hexdigit());
        let mut fitting = index.by_id.keys().filter(|id| is_prefix && id.to_string().starts_with(text));
        match (fitting.next(), fitting.next()) {
            (Some(id), None) => Ok(*id),
            (Some(_), Some(_)) => Err(ContainerError::Ambiguous(text.to_owned())),
            (None, _) => Err(ContainerError::NotFound(text.to_owned())),
        }
    }

    /// Begins a conversation with a container; if it does not run, when it starts, from its first word on.
    ///
    /// # Errors
    /// If there is no such container, or it goes away before it starts.
    pub async fn attach(&self, id: ContainerId) -> Result<Attachment, ContainerError> {
        let handle = self.handle(id)?;
        let (answer, answered) = oneshot::channel();
        tell(&handle, Command::Attach(answer)).await?;
        answered.await.map_err(|_| ContainerError::NotFound(id.to_string()))?
    }

    /// Gives its terminal another size.
    ///
    /// # Errors
    /// If it does not run.
    pub async fn resize(&self, id: ContainerId, size: Size) -> Result<(), ContainerError> {
        self.ask(id, |answer| Command::Resize(size, answer)).await
    }

    /// Gives it another name.
    ///
    /// # Errors
    /// If the name is none, or taken.
    pub async fn rename(&self, id: ContainerId, name: &str) -> Result<(), ContainerError> {
        let handle = self.handle(id)?;
        let name = name.trim_start_matches('/').to_owned();
        rules::check_name(&name)?;
        let old = handle.record.borrow().name.clone();
        self.take_name(&name, id)?;
        let done = ask(&handle, |answer| Command::Rename(name.clone(), answer)).await;
        let given_up = if done.is_ok() { &old } else { &name };
        self.ground.index().by_name.remove(given_up);
        done
    }

    /// Gives it other limits, also while it runs, and perhaps another policy.
    ///
    /// # Errors
    /// If a limit breaks a rule, or the kernel says no.
    pub async fn update(
        &self,
        id: ContainerId,
        limits: Limits,
        policy: Option<RestartPolicy>,
    ) -> Result<(), ContainerError> {
        self.ask(id, |answer| Command::Update(Box::new(limits), policy, answer)).await
    }

    /// Reads the log of a container. Lines come as fast as they are taken, and end with the log, or with the
    /// container if it is followed.
    ///
    /// # Errors
    /// If there is no such container, or it keeps no log.
    pub fn logs(&self, id: ContainerId, query: LogQuery) -> Result<mpsc::Receiver<LogLine>, ContainerError> {
        let handle = self.handle(id)?;
        if handle.record.borrow().description.log.plan() == Ok(LogPlan::Nothing) {
            let text = "configured logging driver does not support reading".to_owned();
            return Err(ContainerError::NotBuilt(text));
        }
        let (sender, lines) = mpsc::channel(LINES_MAX);
        let over = self.ground.shutdown.token().child_token();
        let path = log_file(&self.ground.folder(id), id);
        let mut seen = handle.record;
        self.ground.shutdown.spawn(async move {
            let reading = read::read(path, query, sender.clone(), over.clone());
            // A follower of a container that does not run waits for nothing.
            let ending = async {
                let _ = seen.wait_for(|record| record.running().is_none()).await;
                over.cancel();
                std::future::pending::<()>().await;
            };
            tokio::select! {
                read = reading => if let Err(error) = read {
                    tracing::warn!(container = %id, %error, "a log cannot be read");
                },
                () = ending => {}
            }
        });
        Ok(lines)
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Arc<ContainerEvent>> {
        self.ground.events.subscribe()
    }

    /// How many bytes it wrote over its image. Reads all folders that it wrote: to be called where blocking is allowed.
    ///
    /// # Errors
    /// If there is no such container, or what it wrote cannot be read.
    pub fn bytes_written(&self, id: ContainerId) -> Result<u64, ContainerError> {
        self.handle(id)?;
        disk::bytes_below(&self.ground.folder(id).join(UPPER)).doing(|| format!("measuring container {id}"))
    }

    /// Where the parts of a container's root file system are.
    pub fn root_of(&self, record: &Record) -> RootFolders {
        let folder = self.ground.folder(record.id);
        RootFolders {
            lower: prepare::root_of(&self.ground, record).layers,
            upper: folder.join(prepare::UPPER),
            work: folder.join(prepare::WORK),
            merged: self.ground.run_folder(record.id).join("rootfs"),
        }
    }

    /// The program of the OCI runtime; nothing if there is none.
    pub fn runtime(&self) -> Option<PathBuf> {
        self.ground.oci().ok().map(|oci| oci.program)
    }

    /// The volumes of this node. Who removes one should ask [`Containers::users_of_volume`] before.
    pub fn volumes(&self) -> &Volumes {
        &self.ground.volumes
    }

    /// Which containers use a volume, running or not.
    pub fn users_of_volume(&self, name: &str) -> Vec<ContainerId> {
        let uses = |record: &Arc<Record>| record.mounts.iter().any(|mount| mount.volume == name);
        self.list().iter().filter(|record| uses(record)).map(|record| record.id).collect()
    }

    pub(crate) fn handle(&self, id: ContainerId) -> Result<Handle, ContainerError> {
        let found = self.ground.index().by_id.get(&id).cloned();
        found.ok_or_else(|| ContainerError::NotFound(id.to_string()))
    }

    async fn ask(
        &self,
        id: ContainerId,
        command: impl FnOnce(crate::container::keeper::Answer) -> Command,
    ) -> Result<(), ContainerError> {
        ask(&self.handle(id)?, command).await
    }

    fn take_name(&self, name: &str, id: ContainerId) -> Result<(), ContainerError> {
        let mut index = self.ground.index();
        if let Some(owner) = index.by_name.get(name) {
            return Err(ContainerError::NameTaken { name: name.to_owned(), owner: *owner });
        }
        index.by_name.insert(name.to_owned(), id);
        Ok(())
    }
}

pub(crate) async fn tell(handle: &Handle, command: Command) -> Result<(), ContainerError> {
    let id = handle.record.borrow().id;
    handle.commands.send(command).await.map_err(|_| ContainerError::NotFound(id.to_string()))
}

async fn ask(
    handle: &Handle,
    command: impl FnOnce(crate::container::keeper::Answer) -> Command,
) -> Result<(), ContainerError> {
    let (answer, answered) = oneshot::channel();
    tell(handle, command(answer)).await?;
    answered.await.unwrap_or_else(|_| Err(unheard(&handle.record.borrow())))
}

/// Why a container's keeper ended before it answered: with the container, or with the daemon.
fn unheard(record: &Record) -> ContainerError {
    match record.phase {
        Phase::Removing => ContainerError::NotFound(record.id.to_string()),
        _ => ContainerError::ShuttingDown,
    }
}

/// Takes up a container that was there when the daemon started.
async fn take_up(ground: &Arc<Ground>, mut record: Record) {
    let (id, name) = (record.id, record.name.clone());
    let folder = ground.folder(id);
    let mut line = None;
    if let Some(running) = record.running() {
        line = supervisor::connect(&ground.run_folder(id)).await.ok();
        if line.is_none() {
            let ended = supervisor::last_words(&folder.join(EXIT_FILE));
            let (code, oom, finished) = match ended {
                Some(ended) => (ended.code, ended.oom, ended.at),
                None => (GONE, false, host::clock::now()),
            };
            record.end(Exit { code, oom, started: running.started, finished });
            if let Err(error) = record.save(&folder) {
                tracing::warn!(container = %id, %error, "the end of a container could not be kept");
            }
        }
    }
    if let Some(exit) = record.exit() {
        let policy = record.description.restart;
        record.restarts = record.restarts.at_return(policy, exit, record.stopped_by_user);
    }
    let handle = Keeper::hire(ground, record, line);
    let mut index = ground.index();
    index.by_name.insert(name, id);
    index.by_id.insert(id, handle);
}

fn make(ground: &Ground, id: ContainerId, description: Description) -> Result<Record, ContainerError> {
    let folder = ground.folder(id);
    let made = mounts::resolve(ground, &description).and_then(|mounts| {
        files::make_folder(&folder, Access::Private).doing(|| format!("making {}", folder.display()))?;
        let record = Record::new(id, description, mounts, host::clock::now());
        record.save(&folder).doing(|| format!("keeping container {id}"))?;
        Ok(record)
    });
    if made.is_err() {
        // What was the matter is told; a leftover is swept away at the next start.
        let _ = files::remove_if_there(&folder);
    }
    made
}

/// How long a container may take to stop if nothing is said.
const GRACE: Duration = Duration::from_secs(10);
/// How long the kernel may take to kill.
const KILL_MAX: Duration = Duration::from_secs(30);
/// So many lines of a log are read ahead.
const LINES_MAX: usize = 64;
const CLOSING_MAX: Duration = Duration::from_secs(5);
/// The code of a process that was gone when the daemon came back, and nobody had seen its end.
const GONE: i32 = 255;
