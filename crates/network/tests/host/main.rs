//! This host's network against a real kernel, each test on a host of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod stage;

use skep_network::{HostPort, IngressPort, Membership, Protocol, SandboxSpec, ServiceShare};
use stage::{call, call_by_datagram, datagram_server, on_stage, outside, run, server, within};

fn plain(name: &str) -> SandboxSpec {
    SandboxSpec { name: name.to_owned(), hostname: format!("{name}-host"), ..SandboxSpec::default() }
}

fn published(name: &str, protocol: Protocol, host_port: u16) -> SandboxSpec {
    let host_ip = [0, 0, 0, 0].into();
    SandboxSpec { ports: vec![HostPort { protocol, host_ip, host_port, container_port: 80 }], ..plain(name) }
}

fn task(name: &str, protocol: Protocol) -> SandboxSpec {
    let ports = vec![IngressPort { protocol, published: 8080, target: 80 }];
    let service = Some(ServiceShare { id: "s1".to_owned(), name: "web".to_owned(), ports });
    SandboxSpec { service, ..plain(name) }
}

#[test]
#[ignore = "needs root"]
fn a_container_has_an_address_a_way_out_and_neighbours() {
    on_stage(|stage| {
        let outside = outside();
        server(&outside, 7000, "out");
        let one = stage.sandbox("aaaaaaaaaaaa1", plain("one"));
        let two = stage.sandbox("bbbbbbbbbbbb2", plain("two"));
        assert_eq!(one.interface.unwrap().address.to_string(), "172.17.0.2");
        assert_eq!(one.interface.unwrap().mac.to_string(), "02:42:ac:11:00:02");
        server(&two.netns, 80, "two");
        assert_eq!(within(&one.netns, || call("172.17.0.3:80")), "two 172.17.0.2");
        assert_eq!(within(&one.netns, || call("192.0.2.9:7000")), "out 192.0.2.1");
        let inside = within(&one.netns, || run("ip -o addr; ip route"));
        assert!(inside.contains("172.17.0.2/16") && inside.contains("default via 172.17.0.1"), "{inside}");
        assert!(
            inside.contains("02:42:ac:11:00:02")
                || within(&one.netns, || run("ip link")).contains("02:42:ac:11:00:02")
        );
    });
}

#[test]
#[ignore = "needs root"]
fn a_port_published_on_this_host_leads_to_its_container() {
    on_stage(|stage| {
        let outside = outside();
        let one = stage.sandbox("aaaaaaaaaaaa1", published("one", Protocol::Tcp, 8081));
        server(&one.netns, 80, "one");
        assert_eq!(
            within(&outside, || call("192.0.2.1:8081")),
            "one 192.0.2.9",
            "with the client's own address"
        );
        assert_eq!(call("127.0.0.1:8081"), "one 172.17.0.1");
        assert_eq!(call("192.0.2.1:8081"), "one 192.0.2.1");
        assert_eq!(within(&one.netns, || call("192.0.2.1:8081")), "one 172.17.0.1", "from itself");

        let taken = stage
            .runtime
            .block_on(stage.network.sandbox("bbbbbbbbbbbb2", published("two", Protocol::Tcp, 8081)));
        let refusal = taken.unwrap_err().to_string();
        assert!(
            refusal.starts_with("driver failed programming external connectivity on endpoint two ("),
            "{refusal}"
        );
        assert!(refusal.ends_with(": Bind for 0.0.0.0:8081 failed: port is already allocated"), "{refusal}");

        let chosen = stage.sandbox("cccccccccccc3", published("three", Protocol::Udp, 0));
        let port = chosen.ports[0].host_port;
        assert!(port >= 32_768);
        datagram_server(&chosen.netns, 80, "three");
        assert_eq!(
            within(&outside, move || call_by_datagram(&format!("192.0.2.1:{port}"))),
            "three 192.0.2.9"
        );
        assert_eq!(call_by_datagram(&format!("127.0.0.1:{port}")), "three 172.17.0.1");
        stage.runtime.block_on(stage.network.remove("cccccccccccc3"));
        assert_eq!(call_by_datagram(&format!("127.0.0.1:{port}")), "ConnectionRefused");
    });
}

#[test]
#[ignore = "needs root"]
fn a_services_port_is_balanced_over_those_that_serve() {
    on_stage(|stage| {
        let outside = outside();
        let ids = ["aaaaaaaaaaaa1", "bbbbbbbbbbbb2", "cccccccccccc3"];
        for (id, name) in ids.into_iter().zip(["one", "two", "three"]) {
            let sandbox = stage.sandbox(id, task(name, Protocol::Tcp));
            server(&sandbox.netns, 80, name);
        }
        assert_eq!(call("127.0.0.1:8080"), "ConnectionRefused", "nobody serves yet");
        ids.iter().for_each(|id| stage.serve(id));
        let count = |calls: Vec<String>| {
            ["one", "two", "three"].map(|name| calls.iter().filter(|said| said.starts_with(name)).count())
        };
        assert_eq!(count(within(&outside, || (0..9).map(|_| call("192.0.2.1:8080")).collect())), [3, 3, 3]);
        assert_eq!(count((0..9).map(|_| call("127.0.0.1:8080")).collect()), [3, 3, 3]);
        stage.runtime.block_on(stage.network.drain(ids[0]));
        stage.runtime.block_on(stage.network.remove(ids[1]));
        assert_eq!(count((0..4).map(|_| call("127.0.0.1:8080")).collect()), [0, 0, 4]);
        stage.runtime.block_on(stage.network.drain(ids[2]));
        assert_eq!(call("127.0.0.1:8080"), "ConnectionRefused");
        assert_eq!(within(&outside, || call("192.0.2.1:8080")), "ConnectionRefused");
    });
}

#[test]
#[ignore = "needs root"]
fn a_gone_datagram_server_is_forgotten_by_open_flows() {
    on_stage(|stage| {
        let outside = outside();
        let ids = ["aaaaaaaaaaaa1", "bbbbbbbbbbbb2"];
        for (id, name) in ids.into_iter().zip(["one", "two"]) {
            let sandbox = stage.sandbox(id, task(name, Protocol::Udp));
            datagram_server(&sandbox.netns, 80, name);
        }
        stage.serve(ids[0]);
        let socket = within(&outside, || std::net::UdpSocket::bind("0.0.0.0:5555").unwrap());
        socket.connect("192.0.2.1:8080").unwrap();
        socket.set_read_timeout(Some(std::time::Duration::from_secs(2))).unwrap();
        let ask = || {
            let mut buffer = [0; 64];
            socket.send(b"?").unwrap();
            let length = socket.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        assert_eq!(ask(), "one 192.0.2.9");
        stage.serve(ids[1]);
        stage.runtime.block_on(stage.network.remove(ids[0]));
        assert_eq!(ask(), "two 192.0.2.9");
    });
}

#[test]
#[ignore = "needs root"]
fn a_services_address_leads_to_its_tasks() {
    on_stage(|stage| {
        run("ip route add default dev lo"); // the host itself only needs some way out
        let member = |name: &str| SandboxSpec {
            networks: vec![Membership {
                network: "mynet".to_owned(),
                aliases: vec!["shop".to_owned()],
                vip: Some([10, 0, 1, 2].into()),
            }],
            ..task(name, Protocol::Tcp)
        };
        let one = stage.sandbox("aaaaaaaaaaaa1", member("one"));
        let two = stage.sandbox("bbbbbbbbbbbb2", member("two"));
        server(&one.netns, 80, "one");
        server(&two.netns, 80, "two");
        assert_eq!(within(&one.netns, || call("10.0.1.2:80")), "ConnectionRefused");
        stage.serve("aaaaaaaaaaaa1");
        stage.serve("bbbbbbbbbbbb2");
        let mut said = within(&one.netns, || [(); 6].map(|()| call("10.0.1.2:80"))).to_vec();
        said.sort();
        said.dedup();
        assert_eq!(said, ["one 172.17.0.1", "two 172.17.0.1"]);
        assert_eq!(
            stage.resolve(&one.netns, "web.").iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["10.0.1.2"]
        );
        assert_eq!(stage.resolve(&one.netns, "shop.mynet.").len(), 1);
        assert_eq!(stage.resolve(&one.netns, "tasks.shop.").len(), 2);
    });
}

#[test]
#[ignore = "needs root"]
fn names_are_resolved_inside_and_others_asked_outside() {
    on_stage(|stage| {
        let upstream = std::net::UdpSocket::bind("127.0.0.1:53").unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((length, peer)) = upstream.recv_from(&mut buffer) {
                upstream.send_to(&stage::dns::echo(&buffer[..length]), peer).unwrap();
            }
        });
        let one = stage.sandbox("aaaaaaaaaaaa1", task("web.1.x", Protocol::Tcp));
        let two = stage.sandbox("bbbbbbbbbbbb2", task("web.2.y", Protocol::Tcp));
        assert_eq!(stage.resolve(&one.netns, "web.2.y."), [two.address().unwrap()]);
        assert!(stage.resolve(&one.netns, "web.").is_empty(), "nobody serves yet");
        stage.serve("aaaaaaaaaaaa1");
        stage.serve("bbbbbbbbbbbb2");
        assert_eq!(stage.resolve(&one.netns, "web."), [one.address().unwrap(), two.address().unwrap()]);
        assert_eq!(stage.resolve(&one.netns, "bbbbbbbbbbbb."), [two.address().unwrap()]);
        assert_eq!(stage.resolve(&one.netns, "far.example.org."), [std::net::Ipv4Addr::new(203, 0, 113, 7)]);
        let netns = one.netns.clone();
        let by_connection =
            stage.meanwhile(move || within(&netns, || stage::dns::resolve_by_connection("tasks.web.")));
        assert_eq!(by_connection.len(), 2);
    });
}

#[test]
#[ignore = "needs root"]
fn a_port_bound_to_one_address_is_open_on_no_other() {
    on_stage(|stage| {
        let outside = outside();
        let local = HostPort {
            protocol: Protocol::Tcp,
            host_ip: [127, 0, 0, 1].into(),
            host_port: 8082,
            container_port: 80,
        };
        let one = stage.sandbox("aaaaaaaaaaaa1", SandboxSpec { ports: vec![local], ..plain("one") });
        server(&one.netns, 80, "one");
        assert_eq!(call("127.0.0.1:8082"), "one 172.17.0.1");
        assert_eq!(call("192.0.2.1:8082"), "ConnectionRefused");
        assert_eq!(within(&outside, || call("192.0.2.1:8082")), "ConnectionRefused");
    });
}

#[test]
#[ignore = "needs root"]
fn the_hosts_own_loopback_is_closed_to_containers() {
    on_stage(|stage| {
        let listener = std::net::TcpListener::bind("127.0.0.1:7001").unwrap();
        let one = stage.sandbox("aaaaaaaaaaaa1", plain("one"));
        let sneak = "ip route del 127.0.0.0/8 table local; ip route add 127.0.0.1 via 172.17.0.1; \
                     echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet";
        let said = within(&one.netns, move || {
            run(&format!("{sneak}; ip address del 127.0.0.1/8 dev lo; true"));
            call("127.0.0.1:7001")
        });
        assert_eq!(said, "TimedOut");
        run("nft flush chain ip stage guard");
        let said = within(&one.netns, move || call("127.0.0.1:7001"));
        assert_eq!(said, "WouldBlock", "without the guard it is connected, and hears nothing");
        drop(listener);
    });
}

#[test]
#[ignore = "needs root"]
fn a_sandbox_whose_note_is_damaged_is_cleared_away() {
    on_stage(|stage| {
        let one = stage.sandbox("aaaaaaaaaaaa1", plain("one"));
        let two = stage.sandbox("bbbbbbbbbbbb2", plain("two"));
        let three = stage.sandbox("cccccccccccc3", plain("three"));
        let notes = stage.config.exec_root.join("sandboxes");
        std::fs::write(notes.join("aaaaaaaaaaaa"), b"{\"container\":\xff").unwrap();
        std::fs::write(notes.join("nobody"), b"").unwrap();
        run(&format!("umount {}", two.netns.display()));
        stage.restart();
        assert_eq!(stage.runtime.block_on(stage.network.sandboxes()), [three]);
        assert!(!one.netns.exists() && !two.netns.exists());
        assert_eq!(std::fs::read_dir(notes).unwrap().count(), 1);
    });
}

#[test]
#[ignore = "needs root"]
fn a_name_server_bears_whatever_it_is_asked() {
    on_stage(|stage| {
        std::fs::write("/run/resolv.conf", "").unwrap();
        let one = stage.sandbox("aaaaaaaaaaaa1", plain("one"));
        let netns = one.netns.clone();
        stage.meanwhile(move || within(&netns, stage::dns::torment));
        assert_eq!(stage.resolve(&one.netns, "one."), [one.address().unwrap()]);
        assert!(
            stage.resolve(&one.netns, "far.example.org.").is_empty(),
            "at once, since there is nobody to ask"
        );
    });
}

#[test]
#[ignore = "needs root"]
fn a_container_may_run_a_name_server_of_its_own() {
    on_stage(|stage| {
        let ports = vec![IngressPort { protocol: Protocol::Udp, published: 5300, target: 53 }];
        let service = Some(ServiceShare { id: "s2".to_owned(), name: "names".to_owned(), ports });
        let one = stage.sandbox("aaaaaaaaaaaa1", SandboxSpec { service, ..plain("one") });
        server(&one.netns, 53, "own");
        datagram_server(&one.netns, 53, "own");
        for _ in 0..2 {
            stage.serve("aaaaaaaaaaaa1");
            assert_eq!(stage.resolve(&one.netns, "one."), [one.address().unwrap()]);
            assert_eq!(stage.resolve(&one.netns, "names."), [one.address().unwrap()]);
            let netns = one.netns.clone();
            let by_connection =
                stage.meanwhile(move || within(&netns, || stage::dns::resolve_by_connection("one.")));
            assert_eq!(by_connection.len(), 1);
            assert_eq!(call_by_datagram("127.0.0.1:5300"), "own 172.17.0.1");
            assert_eq!(call("172.17.0.2:53"), "own 172.17.0.1");
            stage.restart();
        }
    });
}

#[test]
#[ignore = "needs root"]
fn the_systems_own_resolver_understands_the_answers() {
    on_stage(|stage| {
        let one = stage.sandbox("aaaaaaaaaaaa1", task("web.1.x", Protocol::Tcp));
        stage.serve("aaaaaaaaaaaa1");
        std::fs::write("/run/guest.conf", skep_network::resolv_conf("search example.org")).unwrap();
        let ask = "unshare -m sh -c 'mount --bind /run/guest.conf /etc/resolv.conf; getent hosts web; \
                   getent hosts 172.17.0.2; getent ahosts nobody || echo unknown'";
        let said = stage.meanwhile(move || within(&one.netns, || run(ask)));
        let lines: Vec<_> =
            said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines, ["172.17.0.2 web", "172.17.0.2 web.1.x.bridge", "unknown"]);
    });
}

#[test]
#[ignore = "needs root"]
fn a_restart_disturbs_nobody() {
    on_stage(|stage| {
        let outside = outside();
        let one = stage.sandbox("aaaaaaaaaaaa1", published("one", Protocol::Tcp, 8081));
        let two = stage.sandbox("bbbbbbbbbbbb2", task("two", Protocol::Tcp));
        stage.serve("bbbbbbbbbbbb2");
        server(&one.netns, 80, "one");
        server(&two.netns, 80, "two");
        let before = stage.runtime.block_on(stage.network.sandboxes());
        stage.restart();
        assert_eq!(stage.runtime.block_on(stage.network.sandboxes()), before);
        stage.runtime.block_on(stage.network.stop());
        run(
            "ip link del stage0; ip link add elsewhere type bridge; ip address add 172.18.0.1/16 dev elsewhere",
        );
        stage.restart();
        assert_eq!(stage.runtime.block_on(stage.network.sandboxes()), before);
        assert_eq!(within(&outside, || call("192.0.2.1:8081")), "one 192.0.2.9");
        assert_eq!(within(&outside, || call("192.0.2.1:8080")), "two 192.0.2.9");
        assert_eq!(stage.resolve(&one.netns, "web."), [two.address().unwrap()]);
        let three = stage.sandbox("cccccccccccc3", plain("three"));
        assert_eq!(three.address().unwrap().to_string(), "172.17.0.4");
        stage.runtime.block_on(stage.network.retain(["cccccccccccc3".to_owned()].into()));
        assert_eq!(stage.runtime.block_on(stage.network.sandboxes()), [three]);
    });
}

#[test]
#[ignore = "needs root"]
fn wiping_leaves_no_trace() {
    on_stage(|stage| {
        stage.sandbox("aaaaaaaaaaaa1", published("one", Protocol::Tcp, 8081));
        assert!(run("nft list tables").contains("table ip stage"));
        stage.runtime.block_on(stage.network.wipe()).unwrap();
        assert_eq!(run("nft list tables"), "");
        assert!(!run("ip -o link").contains("stage0"));
        assert!(!stage.config.exec_root.join("netns").exists());
        assert!(!run("cat /proc/self/mounts").contains("/run/stage"));
    });
}

#[test]
#[ignore = "needs root"]
fn another_firewall_that_drops_is_opened() {
    on_stage(|stage| {
        let outside = outside();
        server(&outside, 7000, "out");
        run("iptables -P FORWARD DROP");
        stage.restart();
        let one = stage.sandbox("aaaaaaaaaaaa1", plain("one"));
        assert_eq!(within(&one.netns, || call("192.0.2.9:7000")), "out 192.0.2.1");
        stage.runtime.block_on(stage.network.wipe()).unwrap();
        assert_eq!(run("iptables -S FORWARD"), "-P FORWARD DROP\n");
    });
}

#[test]
#[ignore = "needs root"]
fn what_others_do_to_the_rules_is_made_good() {
    on_stage(|stage| {
        let outside = outside();
        server(&outside, 7000, "out");
        let one = stage.sandbox("aaaaaaaaaaaa1", published("one", Protocol::Tcp, 8081));
        server(&one.netns, 80, "one");
        run("ip link del stage0");
        assert!(stage.runtime.block_on(stage.network.sandbox("dddddddddddd4", plain("four"))).is_err());
        stage.sandbox("dddddddddddd4", plain("four"));
        assert_eq!(call("192.0.2.1:8081"), "one 192.0.2.1");
        run("nft flush ruleset");
        stage.until(|| call("192.0.2.1:8081") == "one 192.0.2.1");
        run("iptables -N DOCKER-USER; iptables -P FORWARD DROP; iptables -A FORWARD -j DOCKER-USER");
        let netns = one.netns.clone();
        stage.until(move || within(&netns, || call("192.0.2.9:7000")) == "out 192.0.2.1");
        assert!(run("iptables -S DOCKER-USER").contains("-A DOCKER-USER -i stage0 -j ACCEPT"));
        stage.runtime.block_on(stage.network.wipe()).unwrap();
        assert_eq!(run("iptables -S DOCKER-USER"), "-N DOCKER-USER\n");
    });
}

#[test]
#[ignore = "needs root"]
fn a_hundred_sandboxes_come_and_go_quickly() {
    on_stage(|stage| {
        let ids: Vec<String> = (0..100).map(|number| format!("{number:02}").repeat(32)).collect();
        let measure = |what: &str, work: &dyn Fn(&str)| {
            let before = (host::clock::now(), cpu());
            ids.iter().for_each(|id| work(id));
            let wall = host::clock::since(before.0);
            println!("100 times {what}: {wall:?}, {} ms of CPU", cpu() - before.1);
        };
        let remove = |id: &str| stage.runtime.block_on(stage.network.remove(id));
        measure("attach", &|id| drop(stage.sandbox(id, plain("many"))));
        measure("detach", &remove);
        measure("attach a task", &|id| drop(stage.sandbox(id, task("many", Protocol::Tcp))));
        measure("serve", &|id| stage.serve(id));
        measure("detach a task", &remove);

        let before = (host::clock::now(), cpu(), private_memory());
        stage.runtime.block_on(async {
            let mut all = tokio::task::JoinSet::new();
            for id in ids.clone() {
                let network = stage.network.clone();
                all.spawn(async move {
                    network.sandbox(&id, task("many", Protocol::Tcp)).await.unwrap();
                    network.serve(&id).await;
                });
            }
            all.join_all().await
        });
        let (wall, cpu) = (host::clock::since(before.0), cpu() - before.1);
        let memory = private_memory() - before.2;
        println!("100 attach and serve at once: {wall:?}, {cpu} ms of CPU, {memory} KiB more");
        let before = host::clock::now();
        stage.restart();
        println!("restart with 100: {:?}", host::clock::since(before));
        assert_eq!(stage.runtime.block_on(stage.network.sandboxes()).len(), 100);
    });
}

/// The memory of this process that it shares with nobody, in KiB.
fn private_memory() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The CPU time of this process, in milliseconds.
fn cpu() -> i64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).unwrap();
    let both = usage.user_time() + usage.system_time();
    nix::sys::time::TimeValLike::num_milliseconds(&both)
}
