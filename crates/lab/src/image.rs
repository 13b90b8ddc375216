//! An image without a registry: Debian's static busybox.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::output;
use crate::home::Home;
use crate::trouble::{Result, Trouble};

/// The image that every host can be given.
pub const BUSYBOX: &str = "busybox:lab";

/// The programs in it.
const PROGRAMS: [&str; 18] = [
    "sh", "sleep", "echo", "cat", "ls", "id", "hostname", "true", "false", "httpd", "wget", "nslookup", "ps",
    "touch", "test", "date", "env", "kill",
];

/// The image's archive; made when it is first wanted.
pub(crate) fn archive(home: &Home) -> Result<PathBuf> {
    let archive = home.path().join("busybox.tar");
    if !archive.is_file() {
        let root = home.path().join("busybox");
        make_root(&root).map_err(Trouble::io("making an image of /bin/busybox (package busybox-static)"))?;
        output(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg("."))?;
    }
    Ok(archive)
}

fn make_root(root: &Path) -> std::io::Result<()> {
    for folder in ["bin", "etc", "tmp", "www"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::copy("/bin/busybox", root.join("bin/busybox"))?;
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n")?;
    PROGRAMS.iter().try_for_each(|name| symlink("busybox", root.join("bin").join(name)))
}
