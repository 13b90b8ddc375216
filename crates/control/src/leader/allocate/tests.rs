//! Tests of allocation: a state or a story in, drafts and wishes out.

use model::network::{IpamConfig, IpamOptions};
use model::spec::endpoint::{
    EndpointSpec, NetworkAttachmentConfig, PortConfig, Protocol, PublishMode, ResolutionMode,
};
use model::{Driver, Network, NetworkId, Service, Task, TaskState, Timestamp};
use store::{Draft, State};

use super::{Pools, attach, run};
use crate::leader::fixtures::{
    book, change, in_state, network, node, node_id, service, service_id, task, task_id,
};

/// A book and what is taken in it.
struct Bench {
    state: State,
    pools: Pools,
}

impl Bench {
    fn of(fill: impl FnOnce(&mut Draft)) -> Self {
        let state = book(fill);
        let pools = Pools::of(&state);
        let mut bench = Self { state, pools };
        bench.change(|_| {});
        bench
    }

    /// One round of the leader, in which only `fill` and the allocator draft.
    fn change(&mut self, fill: impl FnOnce(&mut Draft)) {
        change(&mut self.state, |draft| {
            fill(draft);
            run(draft, &mut self.pools);
            attach(draft, &mut self.pools);
        });
        assert_eq!(self.pools, Pools::of(&self.state), "what is taken is the book's");
        let mut again = Draft::of(&self.state, Timestamp::EPOCH);
        run(&mut again, &mut Pools::of(&self.state));
        assert!(again.is_empty(), "a second round drafts nothing, not {:?}", again.into_changes());
    }

    fn network(&self, name: &str) -> String {
        let network = self.state.networks.named(name).next().unwrap();
        let configs = network.ipam.iter().flat_map(|ipam| &ipam.configs);
        let subnets: Vec<String> =
            configs.map(|config| format!("{} via {}", config.subnet, config.gateway)).collect();
        let driver = network.driver_state.as_ref().map(|driver| {
            let ids = driver.options.get(super::vxlan::OPTION).map(String::as_str).unwrap_or("-");
            format!("{} {ids}", driver.name)
        });
        format!("{} {}", driver.unwrap_or_default(), subnets.join(", ")).trim().to_owned()
    }

    fn endpoint(&self, number: u64) -> String {
        let service = self.state.services.get(service_id(number)).unwrap();
        let Some(endpoint) = &service.endpoint else { return "none".to_owned() };
        let ports = endpoint.ports.iter().map(|port| format!(":{}", port.published_port));
        let all: Vec<String> = endpoint.virtual_ips.iter().map(|ip| ip.addr.clone()).chain(ports).collect();
        all.join(" ")
    }

    fn task(&self, number: u64) -> String {
        let task = self.state.tasks.get(task_id(number)).unwrap();
        let addresses: Vec<&str> =
            task.networks.iter().flat_map(|it| &it.addresses).map(String::as_str).collect();
        format!("{} {}{}", task.status.state, addresses.join(" "), task.status.err).trim().to_owned()
    }
}

fn with_subnet(name: &str, subnet: &str, range: &str) -> Network {
    let mut network = network(name);
    let config = IpamConfig { subnet: subnet.to_owned(), range: range.to_owned(), ..IpamConfig::default() };
    network.spec.ipam = Some(IpamOptions { driver: None, configs: vec![config] });
    network
}

fn joins(id: NetworkId) -> Vec<NetworkAttachmentConfig> {
    vec![NetworkAttachmentConfig { target: id.to_string(), ..NetworkAttachmentConfig::default() }]
}

fn service_in(number: u64, network: &Network) -> Service {
    let mut service = service(number);
    service.spec.task.networks = joins(network.id);
    service
}

fn task_in(number: u64, network: &Network) -> Task {
    let mut task = task(number, 1);
    task.spec.networks = joins(network.id);
    task
}

fn with_port(mut service: Service, published_port: u32) -> Service {
    let port = PortConfig { target_port: 80, published_port, ..PortConfig::default() };
    service.spec.endpoint.get_or_insert_default().ports.push(port);
    service
}

#[test]
fn networks_get_subnets_and_vxlan_ids_one_after_the_other() {
    let mut bench = Bench::of(|draft| draft.create(network("ingress")));
    assert_eq!(bench.network("ingress"), "overlay 4096 10.0.0.0/24 via 10.0.0.1");
    bench.change(|draft| draft.create(network("web")));
    assert_eq!(bench.network("web"), "overlay 4097 10.0.1.0/24 via 10.0.1.1");
    bench.change(|draft| draft.create(with_subnet("own", "10.0.2.0/23", "")));
    assert_eq!(bench.network("own"), "overlay 4098 10.0.2.0/23 via 10.0.2.1");
    bench.change(|draft| draft.create(network("next")));
    assert_eq!(bench.network("next"), "overlay 4099 10.0.4.0/24 via 10.0.4.1");
}

#[test]
fn a_network_that_overlaps_waits_until_the_other_is_gone() {
    let mut bench = Bench::of(|draft| draft.create(with_subnet("one", "10.5.0.0/16", "")));
    bench.change(|draft| draft.create(with_subnet("two", "10.5.7.0/24", "")));
    assert_eq!(bench.network("two"), "");
    bench.change(|draft| {
        let one = draft.networks.named("one").next().unwrap().clone();
        draft.remove(&one);
    });
    assert_eq!(bench.network("two"), "overlay 4097 10.5.7.0/24 via 10.5.7.1");
}

#[test]
fn networks_of_the_node_itself_need_nothing() {
    let mut host = network("host");
    host.spec.driver_config = Some(Driver { name: "host".to_owned(), ..Driver::default() });
    let joining = task_in(1, &host);
    let bench = Bench::of(|draft| {
        draft.create(host);
        draft.create(joining);
    });
    assert_eq!(bench.network("host"), "host -");
    assert_eq!(bench.task(1), "pending");
}

#[test]
fn services_get_an_address_and_tasks_get_the_next() {
    let web = network("web");
    let mut bench = Bench::of(|draft| {
        draft.create(service_in(1, &web));
        draft.create(task_in(1, &web));
        draft.create(task_in(2, &web));
        draft.create(web);
    });
    assert_eq!(bench.endpoint(1), "10.0.0.2/24");
    assert_eq!(
        (bench.task(1).as_str(), bench.task(2).as_str()),
        ("pending 10.0.0.3/24", "pending 10.0.0.4/24")
    );
    let first = bench.state.tasks.get(task_id(1)).unwrap();
    assert_eq!(first.status.message, "pending task scheduling");
    assert_eq!(first.endpoint.as_ref().unwrap().virtual_ips.len(), 1);

    let mut by_name = service(1);
    by_name.spec.endpoint = Some(EndpointSpec { mode: ResolutionMode::DnsRoundRobin, ports: Vec::new() });
    bench.change(|draft| draft.update(by_name));
    assert_eq!(bench.endpoint(1), "");
}

#[test]
fn an_address_that_was_freed_rests_for_a_while() {
    let web = network("web");
    let second = task_in(2, &web);
    let mut bench = Bench::of(|draft| {
        draft.create(task_in(1, &web));
        draft.create(web.clone());
    });
    assert_eq!(bench.task(1), "pending 10.0.0.2/24");
    let ended = |draft: &mut Draft| {
        let task = Task::clone(draft.tasks.get(task_id(1)).unwrap());
        draft.update(in_state(task, TaskState::Failed));
    };
    bench.change(ended);
    bench.change(|draft| draft.create(second));
    assert_eq!(bench.task(2), "pending 10.0.0.3/24");
}

#[test]
fn a_task_says_what_it_lacks_and_gets_it_when_it_is_freed() {
    let tiny = with_subnet("tiny", "10.7.0.0/30", "");
    let mut bench = Bench::of(|draft| {
        draft.create(task_in(1, &tiny));
        draft.create(task_in(2, &tiny));
        draft.create(tiny);
    });
    assert_eq!(bench.task(1), "pending 10.7.0.2/30");
    assert_eq!(bench.task(2), "new network tiny has no free address");
    bench.change(|draft| {
        let first = draft.tasks.get(task_id(1)).unwrap().clone();
        draft.remove(&first);
    });
    assert_eq!(bench.task(2), "pending 10.7.0.2/30");
}

#[test]
fn addresses_come_from_the_range() {
    let web = with_subnet("web", "10.7.0.0/24", "10.7.0.128/25");
    let bench = Bench::of(|draft| {
        draft.create(task_in(1, &web));
        draft.create(web);
    });
    assert_eq!(bench.task(1), "pending 10.7.0.128/24");
}

#[test]
fn a_wished_address_is_given_once() {
    let web = with_subnet("web", "10.7.0.0/24", "");
    let wishing = |number| {
        let mut task = task_in(number, &web);
        task.spec.networks[0].addresses = vec!["10.7.0.9".to_owned()];
        task
    };
    let (first, second) = (wishing(1), wishing(2));
    let bench = Bench::of(|draft| {
        draft.create(first);
        draft.create(second);
        draft.create(web);
    });
    assert_eq!(bench.task(1), "pending 10.7.0.9/24");
    assert_eq!(bench.task(2), "new address 10.7.0.9 of network web is not free");
}

#[test]
fn ports_are_chosen_kept_and_never_given_twice() {
    let mut bench = Bench::of(|draft| {
        draft.create(network("ingress"));
        draft.create(with_port(service(1), 0));
        draft.create(with_port(service(2), 0));
        draft.create(with_port(service(3), 8080));
        draft.create(with_port(service(4), 8080));
    });
    assert_eq!(bench.endpoint(1), "10.0.0.2/24 :30000");
    assert_eq!(bench.endpoint(2), "10.0.0.3/24 :30001");
    assert_eq!(bench.endpoint(3), "10.0.0.4/24 :8080");
    assert_eq!(bench.endpoint(4), "none");
    let again = |draft: &mut Draft| {
        let mut service = Service::clone(draft.services.get(service_id(2)).unwrap());
        service.spec.task.force_update = 1;
        draft.update(service);
    };
    bench.change(again);
    assert_eq!(bench.endpoint(2), "10.0.0.3/24 :30001");
    bench.change(|draft| {
        let third = draft.services.get(service_id(3)).unwrap().clone();
        draft.remove(&third);
    });
    assert_eq!(bench.endpoint(4), "10.0.0.5/24 :8080");
}

#[test]
fn udp_has_ports_of_its_own_and_host_ports_are_left_alone() {
    let mut both = with_port(service(1), 0);
    let ports = &mut both.spec.endpoint.as_mut().unwrap().ports;
    ports.push(PortConfig { protocol: Protocol::Udp, target_port: 80, ..PortConfig::default() });
    ports.push(PortConfig { publish_mode: PublishMode::Host, target_port: 81, ..PortConfig::default() });
    let bench = Bench::of(|draft| {
        draft.create(network("ingress"));
        draft.create(both);
    });
    assert_eq!(bench.endpoint(1), "10.0.0.2/24 :30000 :30000 :0");
}

#[test]
fn a_task_waits_for_its_service() {
    let mut bench = Bench::of(|draft| {
        draft.create(network("ingress"));
        draft.create(with_port(service(1), 80));
        draft.create(with_port(service(2), 80));
        draft.create(task(1, 2));
    });
    assert_eq!(bench.task(1), "new service s2 lacks an address, a port or a network");
    bench.change(|draft| {
        let first = draft.services.get(service_id(1)).unwrap().clone();
        draft.remove(&first);
    });
    assert_eq!(bench.task(1), "pending 10.0.0.4/24");
}

#[test]
fn nodes_have_an_address_in_each_network_of_their_tasks() {
    let web = network("web");
    let mut placed = in_state(task_in(1, &web), TaskState::New);
    placed.node_id = Some(node_id(1));
    let mut bench = Bench::of(|draft| {
        draft.create(node(1));
        draft.create(network("ingress"));
        draft.create(web);
        draft.create(placed);
    });
    let attached = |bench: &Bench| {
        let node = bench.state.nodes.get(node_id(1)).unwrap();
        let all = node.attachments.iter().map(|it| it.network.spec.annotations.name.clone());
        let mut names: Vec<String> = all.collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(attached(&bench), "ingress web");
    bench.change(|draft| {
        let task = draft.tasks.get(task_id(1)).unwrap().clone();
        draft.remove(&task);
    });
    assert_eq!(attached(&bench), "ingress");
}
