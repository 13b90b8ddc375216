//! What the plan looks like: whole rulesets as text, and the operations between two of them.

use std::path::PathBuf;

use super::*;
use crate::ports::door_of;
use crate::sandbox::{
    HostPort, IngressPort, Interface, Mac, Membership, SandboxSpec, ServiceShare, Standing,
};

fn bridge() -> Bridge {
    Bridge { name: "skep0".to_owned(), subnet: "172.17.0.0/16".parse().unwrap() }
}

fn sandbox(number: u8, spec: SandboxSpec) -> Sandbox {
    let address = Ipv4Addr::new(172, 17, 0, number);
    Sandbox {
        container: format!("{number:02x}").repeat(32),
        netns: PathBuf::from("/run/skep/netns/x"),
        interface: Some(Interface {
            address,
            prefix: 16,
            gateway: Ipv4Addr::new(172, 17, 0, 1),
            mac: Mac::of(address),
        }),
        ports: spec.ports.clone(),
        standing: Standing::Serving,
        spec,
    }
}

/// A task of a service with a port of the mesh, and an address on a network of its own.
fn task(service: &str, slot: u8, protocol: Protocol, published: u16) -> SandboxSpec {
    SandboxSpec {
        name: format!("{service}.{slot}.id"),
        networks: vec![Membership {
            network: "shop".to_owned(),
            aliases: vec![format!("{service}-alias")],
            vip: Some(Ipv4Addr::new(10, 0, 1, u8::try_from(published % 256).unwrap())),
        }],
        service: Some(ServiceShare {
            id: service.to_owned(),
            name: service.to_owned(),
            ports: vec![IngressPort { protocol, published, target: 80 }],
        }),
        ..SandboxSpec::default()
    }
}

fn host_port(host_ip: [u8; 4], host_port: u16) -> HostPort {
    HostPort { protocol: Protocol::Tcp, host_ip: host_ip.into(), host_port, container_port: 22 }
}

pub(crate) fn three_services() -> Vec<Sandbox> {
    let telephone = HostPort { protocol: Protocol::Sctp, ..host_port([0, 0, 0, 0], 3868) };
    let ports = vec![host_port([0, 0, 0, 0], 2222), host_port([127, 0, 0, 1], 2223), telephone];
    vec![
        sandbox(2, task("web", 1, Protocol::Tcp, 8080)),
        sandbox(3, task("web", 2, Protocol::Tcp, 8080)),
        sandbox(4, task("web", 3, Protocol::Tcp, 8080)),
        sandbox(5, task("dns", 1, Protocol::Udp, 5300)),
        Sandbox { standing: Standing::Aside, ..sandbox(6, task("late", 1, Protocol::Tcp, 9090)) },
        sandbox(7, SandboxSpec { name: "shell".to_owned(), ports, ..SandboxSpec::default() }),
    ]
}

pub(crate) fn wanted(sandboxes: &[Sandbox]) -> Wanted {
    Wanted::of("skep", &bridge(), sandboxes.iter())
}

fn now(wanted: Wanted) -> Now {
    let Wanted { bridge, switches: _, doors, backends, ruleset, records: _ } = wanted;
    Now { bridge: Some(bridge), doors, backends, ruleset: Some(ruleset) }
}

/// In a word each.
fn story(now: &Now, wanted: &Wanted) -> Vec<String> {
    let word = |operation| match operation {
        Operation::MakeBridge(bridge) => format!("make {} {}", bridge.name, bridge.subnet),
        Operation::Set(switch) => format!("set {} {}", switch.name, switch.value),
        Operation::OpenForward(bridge) => format!("open {}", bridge.name),
        Operation::Reserve(door) => format!("reserve {}", door.port),
        Operation::Load(_) => "load".to_owned(),
        Operation::Release(door) => format!("release {}", door.port),
        Operation::Forget(address) => format!("forget {address}"),
    };
    diff(now, wanted).into_iter().map(word).collect()
}

#[test]
fn the_rules_for_three_services_read_like_this() {
    assert_eq!(wanted(&three_services()).ruleset.to_string(), include_str!("golden/three_services.nft"));
}

#[test]
fn the_rules_for_nobody_read_like_this() {
    assert_eq!(wanted(&[]).ruleset.to_string(), include_str!("golden/nobody.nft"));
}

#[test]
fn a_new_host_is_made_from_the_ground_up() {
    let story = story(&Now::default(), &wanted(&[sandbox(2, task("web", 1, Protocol::Tcp, 8080))]));
    let expected = [
        "make skep0 172.17.0.0/16",
        "set ipv4/ip_forward 1",
        "set ipv4/conf/skep0/route_localnet 1",
        "set ipv4/conf/skep0/send_redirects 0",
        "open skep0",
        "reserve 8080",
        "load",
    ];
    assert_eq!(story, expected);
}

#[test]
fn what_is_as_it_should_be_is_left_alone() {
    let wanted = wanted(&three_services());
    assert_eq!(story(&now(wanted.clone()), &wanted), Vec::<String>::new());
}

#[test]
fn rules_go_before_ports_and_flows_last() {
    let before = now(wanted(&three_services()));
    assert_eq!(
        story(&before, &wanted(&three_services()[..3])),
        [
            "load",
            "release 2222",
            "release 9090",
            "release 2223",
            "release 5300",
            "release 3868",
            "forget 172.17.0.5",
            "forget 172.17.0.6",
            "forget 172.17.0.7"
        ]
    );
}

#[test]
fn a_drained_task_keeps_its_port_and_its_connections() {
    let mut sandboxes = vec![sandbox(2, task("web", 1, Protocol::Tcp, 8080))];
    let before = now(wanted(&sandboxes));
    sandboxes[0].standing = Standing::Aside;
    assert_eq!(story(&before, &wanted(&sandboxes)), ["load"]);
}

#[test]
fn doors_overlap_if_one_packet_could_mean_both() {
    let door = |host_ip, port| door_of(&host_port(host_ip, port));
    assert!(door([0, 0, 0, 0], 80).overlaps(&door([127, 0, 0, 1], 80)));
    assert!(!door([127, 0, 0, 1], 80).overlaps(&door([127, 0, 0, 2], 80)));
    assert!(!door([0, 0, 0, 0], 80).overlaps(&door([0, 0, 0, 0], 81)));
}

/// What a name means to a container, as text.
fn addresses(records: &Records, asker: u8, name: &str) -> String {
    match records.addresses(&format!("{asker:02x}").repeat(32), name) {
        Some(addresses) => addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        None => "unknown".to_owned(),
    }
}

#[test]
fn names_mean_what_users_expect() {
    let records = wanted(&three_services()).records;
    let table = [
        ("web", "10.0.1.144"),
        ("WEB.", "10.0.1.144"),
        ("web.shop", "10.0.1.144"),
        ("web-alias", "10.0.1.144"),
        ("tasks.web", "172.17.0.2 172.17.0.3 172.17.0.4"),
        ("tasks.web-alias.shop", "172.17.0.2 172.17.0.3 172.17.0.4"),
        ("web.2.id", "172.17.0.3"),
        ("050505050505", "172.17.0.5"),
        ("late", "10.0.1.130"),
        ("tasks.late", ""),
        ("shell", "unknown"),
        ("web.bridge", "unknown"),
        ("", "unknown"),
        (".", "unknown"),
        ("shop", "unknown"),
    ];
    for (name, expected) in table {
        assert_eq!(addresses(&records, 2, name), expected, "{name:?}");
    }
    assert_eq!(addresses(&records, 7, "shell"), "172.17.0.7");
    assert_eq!(addresses(&records, 7, "web"), "unknown", "another network");
    assert_eq!(addresses(&records, 99, "web"), "unknown", "nobody's question");
}

#[test]
fn addresses_have_names_too() {
    let records = wanted(&three_services()).records;
    let name = |asker: u8, address: [u8; 4]| records.name(&format!("{asker:02x}").repeat(32), address.into());
    assert_eq!(name(2, [172, 17, 0, 3]).as_deref(), Some("web.2.id.shop"));
    assert_eq!(name(2, [10, 0, 1, 144]).as_deref(), Some("web.shop"));
    assert_eq!(name(2, [172, 17, 0, 7]), None);
}
