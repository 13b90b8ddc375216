//! Our daemon answers in the shape of the stock one: after the same story, the same keys with values of the same
//! kind, at the version of the API that both speak.

use std::collections::BTreeSet;

use serde_json::Value;
use skep_lab::{BUSYBOX, Host, Lab, Make, Result, until};

use crate::swarm;

/// The newest version that the stock daemon speaks.
const VERSION: &str = "/v1.41";

/// What is done on both, with the stock command line; blanks part the words, and `@` stands for a blank within one.
/// The file at FILE holds a word, the folder at FOLDER that file; HOST is the host's name, ADDRESS its address.
const STORY: &[&str] = &[
    "import -c CMD@sleep@100000 -c ENV@A=1 -c EXPOSE@80 -c VOLUME@/kept -c WORKDIR@/tmp -c USER@root -c LABEL@zone=north \
     -c HEALTHCHECK@--interval=1s@CMD@true -m made FOLDER/root.tar full:1",
    "save -o FOLDER/saved.tar full:1",
    "tag full:1 full:2",
    "rmi full:1",
    "load -i FOLDER/saved.tar",
    "swarm init --advertise-addr ADDRESS",
    "volume create --label zone=north data",
    "volume create --opt type=tmpfs --opt device=tmpfs --opt o=size=1m memory",
    "secret create --label zone=north key FILE",
    "config create --label zone=north site FILE",
    "node update --label-add zone=north HOST",
    "service create --detach --no-resolve-image --name bare IMAGE sleep 100000",
    "service create --detach --no-resolve-image --name web --replicas 1 --label zone=north --container-label zone=south \
     --env A=1 --limit-memory 64m --limit-cpu 0.5 --limit-pids 50 --reserve-memory 8m --constraint node.role==manager \
     --placement-pref spread=node.labels.zone --replicas-max-per-node 5 --mount type=volume,src=data,dst=/data \
     --mount type=tmpfs,dst=/memory,tmpfs-size=1m,tmpfs-mode=1770 --mount type=bind,src=/etc,dst=/host,readonly \
     --secret source=key,target=key,mode=0400 --config source=site,target=/site --health-cmd true --health-interval 1s \
     --update-delay 1s --update-order start-first --update-max-failure-ratio 0.5 --rollback-parallelism 2 \
     --restart-condition any --restart-delay 0s --restart-max-attempts 9 --stop-grace-period 1s --stop-signal KILL \
     --cap-add NET_ADMIN --cap-drop CHOWN --ulimit nofile=100:200 --sysctl net.ipv4.ip_forward=0 --init --tty --user root \
     --workdir /tmp --hostname {{.Task.Name}} --host db:1.2.3.4 --dns 1.1.1.1 --dns-search x --dns-option ndots:1 \
     --log-driver json-file --log-opt max-size=1m --publish mode=host,published=18080,target=80 \
     --publish mode=host,target=81,protocol=udp --read-only --isolation default --limit-pids 30 IMAGE sleep 100000",
    "service create --detach --no-resolve-image --name all --mode global --endpoint-mode dnsrr IMAGE sleep 100000",
    "service create --detach --no-resolve-image --name job --mode replicated-job --replicas 2 IMAGE true",
    "service update --detach --no-resolve-image --env-add B=2 --update-parallelism 0 --update-monitor 100ms bare",
    "run --detach --name mine --publish 18081:80 --publish 18082:81/udp --publish 127.0.0.1:18083:82 --expose 83 \
     --volume data:/data --volume /etc:/host:ro --tmpfs /memory:size=1m --mount type=bind,src=/usr,dst=/programs,readonly \
     --mount type=volume,dst=/nameless --label zone=north --env A=1 --memory 64m --cpus 0.5 --pids-limit 50 \
     --restart on-failure:2 --health-cmd true --health-interval 1s --hostname here --add-host db:1.2.3.4 --dns 1.1.1.1 \
     --cap-add NET_ADMIN --cap-drop CHOWN --ulimit nofile=100:200 --sysctl net.ipv4.ip_forward=0 --init --user root \
     --workdir /tmp --stop-signal KILL --stop-timeout 1 --group-add 10 --security-opt no-new-privileges \
     --log-opt max-size=1m --device /dev/null:/dev/empty --oom-score-adj 5 --shm-size 32m --cpu-shares 512 \
     IMAGE sh -c sleep@100000",
    "run --detach --interactive --tty --name bare-tty full:1",
    "run --detach --name hosted --network host IMAGE sleep 100000",
    "run --detach --name alone --network none --read-only IMAGE sleep 100000",
    "run --detach --name joined --network container:mine IMAGE sleep 100000",
    "run --name ended IMAGE sh -c exit@3",
    "create --name fresh IMAGE true",
    "exec mine touch /new",
    "exec --detach --env A=1 --workdir /tmp --user root mine sleep 100000",
];

/// What is looked at then. TASK and EXEC are ids of either.
const LOOKS: &[&str] = &[
    "/info",
    "/version",
    "/swarm",
    "/swarm/unlockkey",
    "/nodes",
    "/nodes/HOST",
    "/services",
    "/services?status=true",
    "/services/bare",
    "/services/web",
    "/services/web?insertDefaults=true",
    "/services/all",
    "/services/job",
    "/tasks",
    "/tasks/TASK",
    "/secrets",
    "/secrets/key",
    "/configs",
    "/configs/site",
    "/volumes",
    "/volumes/data",
    "/volumes/memory",
    "/networks",
    "/networks/bridge",
    "/networks/host",
    "/networks/none",
    "/networks/ingress",
    "/networks/ingress?verbose=true",
    "/images/json",
    "/images/json?all=1&digests=1",
    "/images/full:1/json",
    "/images/IMAGE/json",
    "/images/full:1/history",
    "/containers/json",
    "/containers/json?all=1&size=1",
    "/containers/mine/json",
    "/containers/mine/json?size=1",
    "/containers/bare-tty/json",
    "/containers/hosted/json",
    "/containers/alone/json",
    "/containers/joined/json",
    "/containers/ended/json",
    "/containers/fresh/json",
    "/containers/CONTAINER/json",
    "/containers/mine/top",
    "/containers/mine/changes",
    "/containers/fresh/changes",
    "/containers/mine/stats?stream=0",
    "/containers/hosted/stats?stream=0",
    "/exec/EXEC/json",
    "/system/df",
];

/// How the shapes differ, and why: what begins with `-` only the stock daemon says, with `+` only ours. `*` stands for
/// anything.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("/info", "- .Runtimes.*", "other programs run the containers"),
    ("/info", "+ .Runtimes.*", "other programs run the containers"),
    ("/version", "- .BuildTime: string", "what is built twice is the same twice"),
    ("/version", "- .Components[].Details.*", "neither a time of building, nor Go"),
    ("/networks", "- [].Labels: null", "the swarm's own word is shown"),
    ("/networks", "+ [].Labels.com.docker.swarm.internal: string", "the swarm's own word is shown"),
    ("/networks/bridge", "+ .IPAM.Config[].Gateway: string", "the stock one says it after a restart only"),
    ("/networks/ingress*", "+ .Labels.com.docker.swarm.internal: string", "the swarm's own word is shown"),
    ("/networks/ingress*", "- .Containers*", "no sandbox of its own stands in it"),
    ("/networks/ingress*", "+ .Containers: null", "no sandbox of its own stands in it"),
    ("/networks/ingress*", "- .Peers*", "no gossip yet"),
    ("/networks/ingress?verbose=true", "- .Services*", "no gossip yet"),
    ("/images/json*", "* [].RepoDigests: *", "an empty list, as newer daemons have it"),
    ("/images/*", "- .GraphDriver.Data.*", "an image's layers are mounted nowhere"),
    ("/containers/CONTAINER/json", "* .Config.ExposedPorts*", "of tasks' containers less is shown"),
    ("/containers/CONTAINER/json", "* .HostConfig.*", "of tasks' containers less is shown"),
    ("/containers/*/json*", "* .ExecIDs*", "there are some just while a container's health is looked at"),
    ("/containers/*/stats?stream=0", "+ .memory_stats.stats.*", "all that the kernel counts"),
    ("/system/df", "* .BuildCache: *", "an empty list, as newer daemons have it"),
    ("/system/df", "* .Images[].RepoDigests: *", "an empty list, as newer daemons have it"),
    ("/system/df", "+ .Volumes[].Options*", "the stock one leaves them out here"),
];

#[test]
#[ignore = "needs root"]
fn answers_have_the_shape_of_the_stock_daemons() -> Result<()> {
    let mut lab = Lab::new()?;
    lab.add("stock", Make::Stock)?;
    lab.add("skep", Make::Skep)?;
    let (stock, ours) = (Played::on(lab.host("stock")?)?, Played::on(lab.host("skep")?)?);
    let mut differences = Vec::new();
    for look in LOOKS {
        let (theirs, ours) = (stock.shape(look)?, ours.shape(look)?);
        let told = |sign: &'static str, line: &String| (*look, format!("{sign} {line}"));
        differences.extend(theirs.difference(&ours).map(|line| told("-", line)));
        differences.extend(ours.difference(&theirs).map(|line| told("+", line)));
    }
    let is_known =
        |look: &str, line: &str| DIFFERENCES.iter().any(|(of, known, _)| fits(of, look) && fits(known, line));
    differences.retain(|(look, line)| !is_known(look, line));
    let text: String = differences.iter().map(|(look, line)| format!("{look}: {line}\n")).collect();
    assert!(text.is_empty(), "\n{text}");
    Ok(())
}

/// Whether a text is as the pattern has it, where `*` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(begin) else { return false };
    (0..=text.len()).any(|at| text.is_char_boundary(at) && fits(rest, &text[at..]))
}

/// A host on which the story was played.
struct Played<'a> {
    host: &'a Host,
    /// What stands for what.
    words: Vec<(&'static str, String)>,
}

impl<'a> Played<'a> {
    /// Plays the story.
    fn on(host: &'a Host) -> Result<Self> {
        let folder = host.data().with_file_name("shapes");
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let file = folder.join("file");
        std::fs::write(&file, "hello").expect("a file can be written");
        let archive = folder.with_file_name("../busybox.tar");
        std::fs::copy(archive, folder.join("root.tar")).expect("the image is there");
        let words = vec![
            ("IMAGE", BUSYBOX.to_owned()),
            ("HOST", host.name().to_owned()),
            ("FILE", file.display().to_string()),
            ("FOLDER", folder.display().to_string()),
            ("ADDRESS", host.address().to_string()),
        ];
        let mut played = Self { host, words };
        for line in STORY {
            let words: Vec<_> =
                line.split_whitespace().map(|word| played.said(word).replace('@', " ")).collect();
            // It ends with another code than 0, as it should.
            let ended = host.docker(&words);
            assert!(ended.is_ok() || line.contains("exit@"), "{}: {ended:?}", host.name());
        }
        played.settle()?;
        Ok(played)
    }

    /// Waits until nothing changes any more, and looks for ids.
    fn settle(&mut self) -> Result<()> {
        let host = self.host;
        for (service, replicas) in
            [("web", "1/1 (max 5 per node)"), ("bare", "1/1"), ("all", "1/1"), ("job", "0/2 (2/2 completed)")]
        {
            swarm::until_replicas(host, service, replicas)?;
        }
        swarm::until_updated(host, "bare")?;
        let first = |words: &[&str]| Ok(host.docker(words)?.lines().next().unwrap_or_default().to_owned());
        until("all are well", || {
            let words = ["ps", "-q", "--filter", "health=starting"];
            host.docker(&words).ok()?.is_empty().then_some(())
        })?;
        // The story's runs on; one that looks at the health is there too for a moment, and has ended when it is looked at.
        let exec = until("the story's process is alone", || {
            let told = host.docker(&["inspect", "--format", "{{join .ExecIDs \" \"}}", "mine"]).ok()?;
            Some(told.trim().to_owned()).filter(|ids| !ids.is_empty() && !ids.contains(' '))
        })?;
        let ids = [
            ("TASK", first(&["service", "ps", "-q", "--no-trunc", "web"])?),
            ("EXEC", exec),
            ("CONTAINER", first(&["ps", "-q", "--filter", "name=web"])?),
        ];
        self.words.extend(ids);
        Ok(())
    }

    /// A word with what it stands for.
    fn said(&self, word: &str) -> String {
        self.words.iter().fold(word.to_owned(), |word, (name, value)| word.replace(name, value))
    }

    /// The shape of an answer.
    fn shape(&self, look: &str) -> Result<BTreeSet<String>> {
        let answer = self.host.api().get(&format!("{VERSION}{}", self.said(look)))?;
        let mut lines = BTreeSet::new();
        note(&answer, "", &mut lines);
        Ok(lines)
    }
}

/// Notes every path in a value and the kind of what is there. Items of a list share one path, and so do values whose
/// keys are ids.
fn note(value: &Value, path: &str, lines: &mut BTreeSet<String>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(items) => {
            items.iter().for_each(|item| note(item, &format!("{path}[]"), lines));
            "list"
        }
        Value::Object(fields) => {
            for (key, value) in fields {
                let key = if is_id(key) { "ID" } else { key };
                note(value, &format!("{path}.{key}"), lines);
            }
            "object"
        }
    };
    lines.insert(format!("{path}: {kind}"));
}

fn is_id(key: &str) -> bool {
    key.len() >= 25 && key.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
}
