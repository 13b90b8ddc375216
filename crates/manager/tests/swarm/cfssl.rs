//! A small signer that speaks cfssl's protocol over HTTPS, one request for each connection.

use std::sync::{Arc, Mutex};

use model::node::NodeRole;
use model::{Chance, Duration};
use pki::{Authority, Issue};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, IsCa, Issuer,
    KeyPair,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What the signer says to whatever it is asked.
#[derive(Clone, Debug)]
pub(crate) enum Habit {
    /// It signs.
    Signs,
    /// It says this, whatever that is.
    Says(Vec<u8>),
    /// It signs for another node.
    Mistakes,
}

/// The signer. It ends with this value.
pub(crate) struct Cfssl {
    pub(crate) url: String,
    pub(crate) asked: Arc<Mutex<Vec<Value>>>,
    pub(crate) habit: Arc<Mutex<Habit>>,
    _serving: JoinSet<()>,
}

struct Desk {
    root: Vec<u8>,
    key: Vec<u8>,
    asked: Arc<Mutex<Vec<Value>>>,
    habit: Arc<Mutex<Habit>>,
}

impl Cfssl {
    /// A signer with this root, PEM, which vouches for the signer's own address too.
    pub(crate) async fn serve(root: &[u8], key: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/api/v1/cfssl/sign", listener.local_addr().unwrap());
        let acceptor = TlsAcceptor::from(Arc::new(tls(root, key)));
        let (asked, habit) = (Arc::default(), Arc::new(Mutex::new(Habit::Signs)));
        let desk = Desk {
            root: root.to_vec(),
            key: key.to_vec(),
            asked: Arc::clone(&asked),
            habit: Arc::clone(&habit),
        };
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Whoever hangs up early is not answered.
                let _ = desk.answer(&acceptor, stream).await;
            }
        });
        Self { url, asked, habit, _serving: serving }
    }
}

/// A certificate of the root for this machine's own address.
fn tls(root: &[u8], key: &[u8]) -> ServerConfig {
    let own = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    let certificate = params.signed_by(&own, &issuer(root, key)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(own.serialize_der()).into(),
        )
        .unwrap()
}

fn issuer(root: &[u8], key: &[u8]) -> Issuer<'static, KeyPair> {
    let key = KeyPair::from_pem(std::str::from_utf8(key).unwrap()).unwrap();
    Issuer::from_ca_cert_pem(std::str::from_utf8(root).unwrap(), key).unwrap()
}

impl Desk {
    async fn answer(&self, acceptor: &TlsAcceptor, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(acceptor.accept(stream).await?);
        let (mut verb, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let line = line.trim_end().to_ascii_lowercase();
            if verb.is_empty() {
                verb.clone_from(&line);
            }
            if let Some(text) = line.strip_prefix("content-length:") {
                length = text.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let said = if verb.starts_with("post") { self.sign(&body) } else { Vec::new() };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", said.len());
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&said).await?;
        stream.shutdown().await
    }

    fn sign(&self, body: &[u8]) -> Vec<u8> {
        let question: Value = serde_json::from_slice(body).unwrap();
        self.asked.lock().unwrap().push(question.clone());
        let habit = self.habit.lock().unwrap().clone();
        let certificate = match habit {
            Habit::Says(words) => return words,
            _ if question["profile"] == "CA" => self.sign_root(&question),
            Habit::Signs => self.sign_node(&question, question["subject"]["CN"].as_str().unwrap()),
            Habit::Mistakes => self.sign_node(&question, "anotheranotheranotheranot"),
        };
        json!({ "success": true, "result": { "certificate": certificate }, "errors": [], "messages": [] })
            .to_string()
            .into_bytes()
    }

    fn sign_node(&self, question: &Value, node: &str) -> String {
        let names = &question["subject"]["names"][0];
        let role = match names["OU"].as_str().unwrap() {
            "swarm-manager" => NodeRole::Manager,
            _ => NodeRole::Worker,
        };
        let issue = Issue {
            node: node.parse().unwrap(),
            cluster: names["O"].as_str().unwrap().parse().unwrap(),
            role,
            expiry: Duration::from_secs(7200),
        };
        assert_eq!(question["hosts"][0], names["OU"]);
        let request = question["certificate_request"].as_str().unwrap().as_bytes();
        let authority = Authority::from_pem(&self.root, &self.key).unwrap();
        let chance = &mut Chance::from_number(1);
        String::from_utf8(authority.sign(request, issue, host::clock::now(), chance).unwrap()).unwrap()
    }

    fn sign_root(&self, question: &Value) -> String {
        assert_eq!(question["extensions"][0]["value"], "30030101FF");
        let request = question["certificate_request"].as_str().unwrap();
        let mut request = CertificateSigningRequestParams::from_pem(request).unwrap();
        request.params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        request.signed_by(&issuer(&self.root, &self.key)).unwrap().pem()
    }
}
