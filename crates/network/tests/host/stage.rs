//! A host of its own for each test: a network and a mount namespace of one thread, which end with it.
//!
//! In: a test. Out: nothing, not even after a failure: whatever the test makes is in these namespaces. The machine's own
//! network is never touched.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use host::shutdown::Shutdown;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use skep_network::{Network, NetworkConfig, Sandbox, SandboxSpec};
use tokio::runtime::Runtime;

/// A host of its own.
pub(crate) struct Stage {
    pub(crate) runtime: Runtime,
    pub(crate) config: NetworkConfig,
    pub(crate) shutdown: Shutdown,
    pub(crate) network: Network,
}

/// Runs a test on a host of its own, which is not reachable from elsewhere.
pub(crate) fn on_stage(test: impl FnOnce(&mut Stage) + Send + 'static) {
    let play = move || {
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).unwrap();
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
        mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        // As strict about senders as some distributions are.
        run("ip link set lo up; echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        std::fs::write("/run/resolv.conf", "nameserver 127.0.0.1\nsearch example.org\n").unwrap();
        let config = NetworkConfig {
            instance: "stage".parse().unwrap(),
            exec_root: PathBuf::from("/run/stage"),
            subnet: None,
            machine: "test".to_owned(),
            resolv_conf: PathBuf::from("/run/resolv.conf"),
        };
        let shutdown = Shutdown::new();
        let network = runtime.block_on(Network::start(config.clone(), &shutdown)).unwrap();
        test(&mut Stage { runtime, config, shutdown, network });
    };
    std::thread::spawn(play).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

impl Stage {
    /// Makes a sandbox.
    pub(crate) fn sandbox(&self, id: &str, spec: SandboxSpec) -> Sandbox {
        self.runtime.block_on(self.network.sandbox(id, spec)).unwrap()
    }

    /// Lets it serve.
    pub(crate) fn serve(&self, id: &str) {
        self.runtime.block_on(self.network.serve(id));
    }

    /// The daemon ends and comes back; containers go on.
    pub(crate) fn restart(&mut self) {
        let ended = self.runtime.block_on(self.shutdown.finish(model::Duration::from_secs(5)));
        assert!(ended, "the name server ends");
        self.runtime.block_on(self.network.stop());
        self.shutdown = Shutdown::new();
        self.network = self.runtime.block_on(Network::start(self.config.clone(), &self.shutdown)).unwrap();
    }

    /// Does something while the daemon goes on.
    pub(crate) fn meanwhile<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        self.runtime.block_on(async { tokio::task::spawn_blocking(work).await.unwrap() })
    }

    /// Looks until something is so, while the daemon goes on.
    pub(crate) fn until(&self, so: impl Fn() -> bool + Send + 'static) {
        let start = host::clock::now();
        let looks = std::iter::repeat_with(so);
        let patient = move || host::clock::since(start) < model::Duration::from_secs(10);
        let found = self.meanwhile(move || looks.take_while(|_| patient()).any(|so| so));
        assert!(found, "it does not come to be so");
    }

    /// What `skep-network` answers to a question in a container.
    pub(crate) fn resolve(&self, netns: &Path, name: &str) -> Vec<Ipv4Addr> {
        let (netns, name) = (netns.to_owned(), name.to_owned());
        self.meanwhile(move || within(&netns, move || dns::resolve(&name)))
    }
}

/// Does something in a network namespace.
pub(crate) fn within<T: Send + 'static>(netns: &Path, work: impl FnOnce() -> T + Send + 'static) -> T {
    let netns = std::fs::File::open(netns).unwrap();
    let visit = move || {
        setns(netns, CloneFlags::CLONE_NEWNET).unwrap();
        work()
    };
    std::thread::spawn(visit).join().unwrap()
}

/// A server in a container: tells everybody who connects its own name and the address it sees.
pub(crate) fn server(netns: &Path, port: u16, name: &'static str) {
    let listener = within(netns, move || TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let peer = stream.peer_addr().unwrap().ip();
            stream.write_all(format!("{name} {peer}").as_bytes()).unwrap();
        }
    });
}

/// A server for datagrams, as [`server`].
pub(crate) fn datagram_server(netns: &Path, port: u16, name: &'static str) {
    let socket = within(netns, move || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok((_, peer)) = socket.recv_from(&mut buffer) {
            socket.send_to(format!("{name} {}", peer.ip()).as_bytes(), peer).unwrap();
        }
    });
}

/// What a server says, or why it says nothing.
pub(crate) fn call(address: &str) -> String {
    let address: SocketAddr = address.parse().unwrap();
    let mut stream = match TcpStream::connect_timeout(&address, PATIENCE) {
        Ok(stream) => stream,
        Err(error) => return format!("{:?}", error.kind()),
    };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut said = String::new();
    match stream.read_to_string(&mut said) {
        Ok(_) => said,
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// The same by datagram.
pub(crate) fn call_by_datagram(address: &str) -> String {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(address.parse::<SocketAddr>().unwrap()).unwrap();
    socket.send(b"?").unwrap();
    let mut buffer = [0; 64];
    match socket.recv(&mut buffer) {
        Ok(length) => String::from_utf8_lossy(&buffer[..length]).into_owned(),
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// Runs a command line in the thread's own network.
pub(crate) fn run(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A machine outside of this host, on a link of its own: the host is 192.0.2.1, the machine 192.0.2.9.
pub(crate) fn outside() -> PathBuf {
    run("ip netns add outside \
         && ip link add up0 type veth peer name eth0 netns outside \
         && ip address add 192.0.2.1/24 dev up0 && ip link set up0 up \
         && ip -n outside address add 192.0.2.9/24 dev eth0 && ip -n outside link set eth0 up \
         && ip -n outside link set lo up");
    PathBuf::from("/run/netns/outside")
}

/// Questions to a name server, as a container asks them.
pub(crate) mod dns {
    use super::{Duration, Ipv4Addr, PATIENCE, Read, TcpStream, UdpSocket, Write};
    use hickory_proto::op::{Message, Query};
    use hickory_proto::rr::{Name, RData, RecordType};

    /// The question.
    pub(crate) fn question(name: &str, kind: RecordType) -> Vec<u8> {
        let mut message = Message::query();
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        message.to_vec().unwrap()
    }

    /// The addresses in an answer, in order.
    pub(crate) fn addresses(answer: &[u8]) -> Vec<Ipv4Addr> {
        let answer = Message::from_vec(answer).unwrap();
        let mut found: Vec<_> = answer
            .answers
            .iter()
            .filter_map(|record| if let RData::A(address) = &record.data { Some(address.0) } else { None })
            .collect();
        found.sort();
        found
    }

    /// An answer to any question, as the world outside would give it.
    pub(crate) fn echo(question: &[u8]) -> Vec<u8> {
        let mut message = Message::from_vec(question).unwrap();
        let name = message.queries[0].name().clone();
        message.metadata.message_type = hickory_proto::op::MessageType::Response;
        let address = RData::A(hickory_proto::rr::rdata::A(Ipv4Addr::new(203, 0, 113, 7)));
        message.add_answer(hickory_proto::rr::Record::from_rdata(name, 60, address));
        message.to_vec().unwrap()
    }

    /// All that a container may do to a name server, in a moment.
    pub(crate) fn torment() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let good = question("one.", RecordType::A);
        for number in 0..2000usize {
            let mut bad = good.repeat(1 + number % 3);
            let place = number % bad.len();
            bad[place] ^= (number / 7) as u8;
            bad.truncate(number % 90);
            socket.send_to(&bad, "127.0.0.11:53").unwrap();
        }
        let idle: Vec<_> = (0..100).map(|_| TcpStream::connect("127.0.0.11:53").unwrap()).collect();
        for (number, mut stream) in idle.into_iter().enumerate() {
            stream.write_all(&[0xff; 7][..number % 7]).unwrap();
        }
    }

    /// Asks by datagram, and again when that is lost, as all resolvers do.
    pub(crate) fn resolve(name: &str) -> Vec<Ipv4Addr> {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let question = question(name, RecordType::A);
        let mut buffer = [0; 512];
        let asked = (0..5).find_map(|_| {
            socket.send_to(&question, "127.0.0.11:53").unwrap();
            socket.recv(&mut buffer).ok()
        });
        addresses(&buffer[..asked.expect("an answer")])
    }

    /// Asks by connection.
    pub(crate) fn resolve_by_connection(name: &str) -> Vec<Ipv4Addr> {
        let mut stream = TcpStream::connect("127.0.0.11:53").unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let question = question(name, RecordType::A);
        stream.write_all(&(question.len() as u16).to_be_bytes()).unwrap();
        stream.write_all(&question).unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut answer).unwrap();
        addresses(&answer)
    }
}

const PATIENCE: Duration = Duration::from_secs(2);
