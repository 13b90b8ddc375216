//! Calls the OCI runtime: to start what the plan says, and to clear up after it.
//!
//! Each call gets mounts of its own. There the root file system is put together, so that it is seen nowhere
//! else and vanishes by itself; and a unified cgroup mount beside the old ones is hidden, which crun refuses.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;

use crate::plan::{Overlay, Plan};
use crate::sys;

/// What a process reads and writes; with a terminal, nothing.
pub(crate) struct Standard {
    pub(crate) input: File,
    pub(crate) output: File,
    pub(crate) errors: File,
}

/// Starts the runtime, which starts the process, leaves it to this program, and ends. Returns its number.
pub(crate) fn start(plan: &Plan, standard: &Standard) -> io::Result<i32> {
    let mut words = call(plan);
    match &plan.process {
        Some(process) => words.extend(["exec".to_owned(), format!("--process={process}")]),
        None => words.push("run".to_owned()),
    }
    words.extend(["--detach".to_owned(), format!("--pid-file={PID_FILE}")]);
    if plan.tty {
        words.push(format!("--console-socket={CONSOLE}"));
    }
    words.push(plan.id.clone());
    spawn(plan, words, Some(standard))
}

/// Lets the runtime forget a container that has ended, and waits for it.
pub(crate) fn delete(plan: &Plan) {
    let mut words = call(plan);
    words.extend(["delete".to_owned(), "--force".to_owned(), plan.id.clone()]);
    if let Ok(pid) = spawn(plan, words, None) {
        sys::wait_for(pid);
    }
}

fn call(plan: &Plan) -> Vec<String> {
    let root = format!("--root={}", plan.root);
    vec![plan.runtime.clone(), root, format!("--log={LOG}"), "--log-format=json".to_owned()]
}

fn spawn(plan: &Plan, words: Vec<String>, standard: Option<&Standard>) -> io::Result<i32> {
    let words: Vec<CString> = words.into_iter().map(CString::new).collect::<Result<_, _>>()?;
    sys::fork(|| {
        let made = prepare(plan, standard);
        let failure = match made {
            Ok(()) => format!(
                "cannot run the OCI runtime {}: {}",
                plan.runtime,
                sys::exec(plan.sealed.as_ref(), &words)
            ),
            Err((doing, error)) => format!("{doing}: {error}"),
        };
        // If even this cannot be written, the exit code still tells that it failed.
        let _ = File::create(FAILURE).and_then(|mut file| file.write_all(failure.as_bytes()));
        FAILED
    })
}

fn prepare(plan: &Plan, standard: Option<&Standard>) -> Result<(), (&'static str, io::Error)> {
    if plan.hide.is_some() || plan.overlay.is_some() {
        sys::unshare_mounts().map_err(|error| ("making a mount namespace", error))?;
    }
    if let Some(hidden) = &plan.hide {
        // If it is not there, it need not be hidden.
        let _ = sys::unmount(&text(hidden));
    }
    if let Some(standard) = standard {
        mount_root(plan).map_err(|error| ("mounting the root file system", error))?;
        let files = [&standard.input, &standard.output, &standard.errors];
        for (number, file) in (0..).zip(files) {
            sys::become_standard(file.as_raw_fd(), number)
                .map_err(|error| ("handing over the pipes", error))?;
        }
    }
    Ok(())
}

fn mount_root(plan: &Plan) -> io::Result<()> {
    let Some(overlay) = &plan.overlay else { return Ok(()) };
    let here = std::env::current_dir()?;
    let target = text(&here.join("rootfs").to_string_lossy());
    // The layers' names are short only from there; but what fails is told from here.
    std::env::set_current_dir(&overlay.base)?;
    let mounted = mount_overlay(overlay, &target);
    std::env::set_current_dir(here)?;
    mounted.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => io::Error::other(format!(
            "{error}; the file system of the data root may be one that can hold no overlay (ext4 and xfs can), \
             dmesg tells more"
        )),
        _ => error,
    })
}

fn mount_overlay(overlay: &Overlay, target: &CStr) -> io::Result<()> {
    let Overlay { lower, upper, work, .. } = overlay;
    let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
    if options.len() < PAGE {
        return sys::mount(c"overlay", target, c"overlay", 0, &text(&options));
    }
    let (upper, work) = (text(upper), text(work));
    let lowers: Vec<CString> = lower.split(':').map(text).collect();
    let mut settings: Vec<_> = lowers.iter().map(|lower| (c"lowerdir+", lower.as_c_str())).collect();
    settings.extend([(c"upperdir", upper.as_c_str()), (c"workdir", work.as_c_str())]);
    sys::mount_overlay(&settings, target)
}

fn text(text: &str) -> CString {
    CString::new(text).expect("a word of a command line has no zero byte")
}

/// Where the runtime writes the number of the process.
pub(crate) const PID_FILE: &str = "pid";
/// Where the runtime hands over the terminal.
pub(crate) const CONSOLE: &str = "console";
/// Where the runtime writes its complaints.
const LOG: &str = "oci.log";
/// Where this program writes why the runtime could not even be called.
const FAILURE: &str = "failure";
/// The code of a call that did not reach the runtime.
const FAILED: i32 = 125;
/// `mount(2)` takes no longer options.
const PAGE: usize = 4096;
