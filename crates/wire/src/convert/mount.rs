//! What a container sees of the host.

use model::spec::mount::{
    BindOptions, Consistency, Mount, MountKind, Propagation, TmpfsOptions, VolumeOptions,
};

use super::{twins, words};
use crate::proto;

twins!(Mount, proto::Mount {
    kind = r#type,
    source,
    target,
    read_only = readonly,
    consistency,
    bind = bind_options,
    volume = volume_options,
    tmpfs = tmpfs_options,
});
words!(MountKind { Bind = 0, Volume = 1, Tmpfs = 2, NamedPipe = 3, Cluster = 4 });
words!(Consistency { Default = 0, Consistent = 1, Cached = 2, Delegated = 3 });
twins!(BindOptions, proto::mount::BindOptions {
    propagation,
    non_recursive = nonrecursive,
    create_mountpoint = createmountpoint,
    read_only_non_recursive = readonlynonrecursive,
    read_only_force_recursive = readonlyforcerecursive,
});
words!(Propagation { RPrivate = 0, Private = 1, RShared = 2, Shared = 3, RSlave = 4, Slave = 5 });
twins!(VolumeOptions, proto::mount::VolumeOptions {
    no_copy = nocopy,
    labels,
    driver = driver_config,
    subpath,
});
twins!(TmpfsOptions, proto::mount::TmpfsOptions { size_bytes, mode, options });
