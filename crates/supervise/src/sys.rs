//! The kernel's calls that this program makes, each made safe once, here.
//!
//! Nothing here decides; an error is the kernel's. The program has one thread, always.
#![expect(
    unsafe_code,
    reason = "the calls of libc are unsafe to call; no safe crate is worth its pages here"
)]

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::ptr;

/// Nanoseconds since the epoch.
pub(crate) fn now_nanos() -> i64 {
    time_of(libc::CLOCK_REALTIME)
}

/// Milliseconds of a clock that only goes forwards.
pub(crate) fn ticks_ms() -> i64 {
    time_of(libc::CLOCK_MONOTONIC) / 1_000_000
}

fn time_of(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is ours and outlives the call.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Leaves the session of whoever started this program, and becomes the parent of orphans beneath it.
pub(crate) fn detach() {
    // SAFETY: no memory is involved. Both may fail only where they are needless.
    unsafe {
        libc::setsid();
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGPIPE] {
            libc::signal(signal, libc::SIG_IGN);
        }
    }
}

/// Something to poll that becomes readable when a child has ended.
pub(crate) fn child_signals() -> io::Result<File> {
    // SAFETY: `set` is ours, and made by `sigemptyset` before it is read.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        checked(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()))?;
        let fd = checked(libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK))?;
        Ok(File::from_raw_fd(fd))
    }
}

/// One child that has ended, and how, as `waitpid` says it.
pub(crate) fn reap() -> Option<(i32, i32)> {
    let mut status = 0;
    // SAFETY: `status` is ours.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
    (pid > 0).then_some((pid, status))
}

/// Waits for one child.
pub(crate) fn wait_for(pid: i32) -> i32 {
    let mut status = 0;
    // SAFETY: `status` is ours.
    while unsafe { libc::waitpid(pid, &raw mut status, 0) } < 0 {
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            break;
        }
    }
    status
}

/// The code a shell would tell for a status of `waitpid`, and the signal if there was one.
pub(crate) fn code_of(status: i32) -> (i32, i32) {
    if libc::WIFSIGNALED(status) {
        let signal = libc::WTERMSIG(status);
        (128 + signal, signal)
    } else {
        (libc::WEXITSTATUS(status), 0)
    }
}

/// Sends a signal to a child that was not reaped yet.
pub(crate) fn kill(pid: i32, signal: i32) {
    // SAFETY: no memory is involved; the caller has not reaped the child, so the number is still its.
    unsafe { libc::kill(pid, signal) };
}

/// The socket that is this program's standard input, closed to programs that it becomes or starts.
pub(crate) fn standard_input_socket() -> io::Result<UnixStream> {
    // SAFETY: the new descriptor is nobody else's.
    unsafe {
        let copy = checked(libc::fcntl(0, libc::F_DUPFD_CLOEXEC, 3))?;
        let nothing = checked(libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC))?;
        let socket = UnixStream::from_raw_fd(copy);
        let nothing = OwnedFd::from_raw_fd(nothing);
        for number in 0..3 {
            checked(libc::dup2(nothing.as_raw_fd(), number))?;
        }
        Ok(socket)
    }
}

/// A pipe: where to read, where to write.
pub(crate) fn pipe() -> io::Result<(File, File)> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for two, and both are new and ours.
    unsafe {
        checked(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC))?;
        Ok((File::from_raw_fd(ends[0]), File::from_raw_fd(ends[1])))
    }
}

/// From now on, calls on it never wait.
pub(crate) fn never_wait(fd: RawFd) {
    // SAFETY: no memory is involved.
    unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFL);
        libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK);
    }
}

/// Waits until something can be done, or the time is over; −1 means for ever.
pub(crate) fn poll(fds: &mut [libc::pollfd], timeout_ms: i32) {
    // SAFETY: the slice is ours and its length is told. An interruption is like nothing having happened.
    if unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout_ms) } <= 0 {
        fds.iter_mut().for_each(|fd| fd.revents = 0);
    }
}

/// Sets the size of a terminal.
pub(crate) fn resize(terminal: &File, rows: u16, columns: u16) {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: `size` outlives the call.
    unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
}

/// Takes the file that comes with a message on a socket.
pub(crate) fn receive_file(socket: RawFd) -> io::Result<File> {
    let mut letter = [0_u8; 256];
    let mut part = libc::iovec { iov_base: letter.as_mut_ptr().cast(), iov_len: letter.len() };
    let mut control = [0_u64; 8];
    // SAFETY: all that the message points to is ours and outlives the call; the header is only read if the
    // kernel says that it is there, and is aligned since `control` is.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control) as _;
        if libc::recvmsg(socket, &raw mut message, libc::MSG_CMSG_CLOEXEC) < 0 {
            return Err(io::Error::last_os_error());
        }
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if header.is_null() || (*header).cmsg_type != libc::SCM_RIGHTS {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let fd = ptr::read_unaligned(libc::CMSG_DATA(header).cast::<RawFd>());
        Ok(File::from_raw_fd(fd))
    }
}

/// A second process like this one. In the child, `child` runs and never returns.
pub(crate) fn fork(child: impl FnOnce() -> i32) -> io::Result<i32> {
    // SAFETY: there is one thread, so the child may do all that its parent may.
    match checked(unsafe { libc::fork() })? {
        0 => {
            reset_signals();
            let code = child();
            // SAFETY: ends the child at once, without what its parent would do at its end.
            unsafe { libc::_exit(code) }
        }
        pid => Ok(pid),
    }
}

fn reset_signals() {
    // SAFETY: `set` is made by `sigemptyset` before it is read.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut());
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGPIPE] {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
}

/// Makes `fd` the process's standard input (0), output (1) or errors (2).
pub(crate) fn become_standard(fd: RawFd, number: RawFd) -> io::Result<()> {
    // SAFETY: no memory is involved.
    checked(unsafe { libc::dup2(fd, number) }).map(|_| ())
}

/// Becomes another program: the one in the file if it can be run, else the one that the first word names. Returns
/// only if that failed.
pub(crate) fn exec(program: Option<&File>, words: &[CString]) -> io::Error {
    let mut pointers: Vec<_> = words.iter().map(|word| word.as_ptr()).collect();
    pointers.push(ptr::null());
    // SAFETY: the list ends with a null, and the words and the environment outlive the call.
    unsafe {
        if let Some(program) = program {
            libc::fexecve(program.as_raw_fd(), pointers.as_ptr(), environ.cast());
        }
        libc::execv(pointers[0], pointers.as_ptr());
    }
    io::Error::last_os_error()
}

/// Whether nobody can change what is in a file any more.
pub(crate) fn is_sealed(file: &File) -> bool {
    let all = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: no memory is involved.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) == all }
}

unsafe extern "C" {
    /// This program's environment, as the C library keeps it.
    static environ: *const *mut libc::c_char;
}

/// Gives the process mounts of its own: what it mounts is seen nowhere else, what others mount is seen here.
pub(crate) fn unshare_mounts() -> io::Result<()> {
    // SAFETY: no memory is involved.
    checked(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    mount(c"none", c"/", c"", libc::MS_REC | libc::MS_SLAVE, c"")
}

/// As `mount(2)`.
pub(crate) fn mount(
    source: &CStr,
    target: &CStr,
    kind: &CStr,
    flags: libc::c_ulong,
    options: &CStr,
) -> io::Result<()> {
    // SAFETY: all texts outlive the call.
    let done = unsafe {
        libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast())
    };
    checked(done).map(|_| ())
}

/// Takes a mount away; it vanishes when nobody uses it any more.
pub(crate) fn unmount(target: &CStr) -> io::Result<()> {
    // SAFETY: the text outlives the call.
    checked(unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) }).map(|_| ())
}

/// Mounts an overlay whose options are longer than `mount(2)` takes. Asks for Linux 6.8 or newer.
pub(crate) fn mount_overlay(settings: &[(&CStr, &CStr)], target: &CStr) -> io::Result<()> {
    const SET_STRING: libc::c_uint = 1;
    const CREATE: libc::c_uint = 6;
    const FROM_EMPTY_PATH: libc::c_uint = 4;
    // SAFETY: the texts outlive each call, and the two files are new and ours.
    unsafe {
        let context = checked(libc::syscall(libc::SYS_fsopen, c"overlay".as_ptr(), 1) as i32)?;
        let context = OwnedFd::from_raw_fd(context);
        let configure = |command: libc::c_uint, key: *const libc::c_char, value: *const libc::c_char| {
            checked(libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), command, key, value, 0) as i32)
        };
        for (key, value) in settings {
            configure(SET_STRING, key.as_ptr(), value.as_ptr())?;
        }
        configure(CREATE, ptr::null(), ptr::null())?;
        let made = checked(libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), 1, 0) as i32)?;
        let made = OwnedFd::from_raw_fd(made);
        let moved = libc::syscall(
            libc::SYS_move_mount,
            made.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            target.as_ptr(),
            FROM_EMPTY_PATH,
        );
        checked(moved as i32).map(|_| ())
    }
}

fn checked(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
