# Holds one machine of a lab: namespaces, mounts and control groups of its own, and all processes in them.
#
#   machine.sh hold FOLDER                 until standard input ends; then nothing is left but the folder
#   machine.sh run FOLDER FIRST PROGRAM…   as a process of the machine whose first process is FIRST
#
# FOLDER has the machine's name. The first process reads standard input. When the lab ends, however it ends, that
# read ends; the kernel then ends every process of the machine, and with the last one go mounts, cables and packet
# rules.
set -eu

# Where control groups are mounted, one place a line.
places() { awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts; }

# The control group of a machine, the same in each tree.
group() { echo "$(basename "$(dirname "$1")")-$(basename "$1")"; }

# join GROUP: moves this process there, in each tree.
join() { for place in $(places); do echo $$ >"$place/$1/cgroup.procs"; done; }

hold() {
  folder=$1 group=$(group "$1")
  # Whoever clears the lab's folder away waits for all who hold this.
  exec 9>"$folder/../lock"
  flock --shared 9
  # A signal to the lab must not end its clearing up.
  trap '' INT TERM HUP
  for place in $(places); do make_group "$place" "$place/$group"; done
  sh "$0" enter "$folder" || true
  for place in $(places); do remove_group "$place/$group"; done
}

# Whoever waited outside for one of the machine's processes may need a moment to end.
remove_group() {
  tries=500
  until [ ! -d "$1" ] || find "$1" -depth -type d -exec rmdir {} + 2>/dev/null; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || { echo "$1 cannot be removed: a process is still in it" >&2; return; }
    sleep 0.02
  done
}

make_group() {
  mkdir -p "$2"
  # A new group has no processors and no memory, and nothing can run in it.
  for list in cpuset.cpus cpuset.mems; do
    [ ! -e "$1/$list" ] || cat "$1/$list" >"$2/$list"
  done
  [ ! -e "$2/cgroup.clone_children" ] || echo 1 >"$2/cgroup.clone_children"
  mkdir -p "$2/init"
}

# The machine shall see its group as the whole, but processes must not be in a group that has others below it.
enter() {
  join "$(group "$1")"
  exec unshare --cgroup -- sh "$0" settle "$1"
}

settle() {
  join "$(group "$1")/init"
  exec unshare --mount --uts --ipc --net --pid --fork -- sh "$0" live "$1"
}

live() {
  # The files below /proc are still those of the lab's side, which wants to know this process by its own number.
  read -r first _ </proc/self/stat
  mount -t proc proc /proc
  hostname "$(basename "$1")"
  ip link set lo up
  mount_groups
  # What goes with the machine's power.
  mount -t tmpfs tmpfs "$1/run"
  echo "$first"
  exec 3<&0
  cat <&3 >/dev/null &
  wait $!
  thaw
}

# A process that stands still cannot be ended, not even by the kernel at the machine's end.
thaw() {
  find /sys/fs/cgroup -name freezer.state | while read -r state; do echo THAWED >"$state"; done
  find /sys/fs/cgroup -name cgroup.freeze | while read -r state; do echo 0 >"$state"; done
}

mount_groups() {
  trees=$(awk '$3 == "cgroup" || $3 == "cgroup2" { print $2, $3, $4 }' /proc/mounts)
  umount -R /sys/fs/cgroup
  # Where there is one tree only, it is mounted here itself.
  [ "${trees%% *}" = /sys/fs/cgroup ] || mount -t tmpfs tmpfs /sys/fs/cgroup
  echo "$trees" | while read -r place kind options; do
    mkdir -p "$place"
    case $kind in
      cgroup) mount -t cgroup -o "$(controllers "$options")" cgroup "$place" ;;
      cgroup2) mount -t cgroup2 cgroup2 "$place" ;;
    esac
    [ ! -e "$place/cgroup.controllers" ] ||
      sed 's/\([^ ]*\)/+\1/g' "$place/cgroup.controllers" >"$place/cgroup.subtree_control"
  done
}

# The options of a mount that name what it controls.
controllers() { echo "$1" | tr , '\n' | grep -vE '^(rw|ro|no.*|relatime|xattr|clone_children|release_agent=.*)$' | paste -sd ,; }

run() {
  folder=$1 first=$2
  shift 2
  join "$(group "$folder")/init"
  exec nsenter --target "$first" --all -- "$@"
}

"$@"
