//! Which service a connection belongs to, and how its requests are read.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use super::placed::Placed;
use crate::attribute::rules::{Profile as RuleProfile, RuleSet};
use crate::classify::{Classifier, Profile, RouteRule};
use crate::config::{self, Candidate, Config, Operation, Segment};
use crate::kernel::container::names::Names;
use crate::kernel::container::{Container, Containers};
use crate::kernel::{listeners, process};
use crate::record::sample::ServiceId;
use crate::record::series::Batch;

/// A service as the pipeline uses it.
#[derive(Debug)]
pub struct Service {
    /// Its name.
    pub name: Arc<str>,
    /// Its label.
    pub id: ServiceId,
    /// Reads operation and handler.
    pub classifier: Classifier,
    /// Reads the credential.
    pub rules: RuleSet,
    /// Profile of the rules.
    pub profile: RuleProfile,
    /// S3 operations are counted here.
    pub client_facing: bool,
    /// Plain HTTP: who sends no credential is unknown, not the public.
    pub plain: bool,
    /// Stands behind the gateway: its trusted headers tell the account of the outer hop.
    pub behind_gateway: bool,
}

/// Where a connection was accepted.
#[derive(Debug, Clone, Copy)]
pub enum Listens<'a> {
    /// TCP.
    OnPort(u16),
    /// A Unix socket of this name; empty if the name did not reach the agent.
    OnSocket(&'a str),
}

/// All services seen or configured.
#[derive(Debug, Default)]
pub struct Services {
    services: Vec<Service>,
    /// By listening port and process; `None` for those that nobody asked about.
    known: HashMap<(u16, u32), Option<u32>>,
    /// By name of the Unix socket and process, likewise.
    known_sockets: HashMap<(Box<str>, u32), Option<u32>>,
    numbered: HashMap<ServiceId, u32>,
    containers: Containers,
    /// Which of them run in which containers.
    pub(super) placed: Placed,
    /// By process: the one port on which it listens, or 0.
    ports: HashMap<u32, u16>,
}

/// Most pairs of port and process that are remembered; beyond it they are looked up again.
const MAX_KNOWN: usize = 16_384;

impl Services {
    /// The service at `index`.
    pub fn get(&self, index: u32) -> Option<&Service> {
        self.services.get(index as usize)
    }

    /// The port on which a process has accepted its connections, where it listens on one alone; else 0. For TLS sessions
    /// that are not known to belong to a socket.
    pub fn port_of(&mut self, tgid: u32) -> u16 {
        if let Some(port) = self.ports.get(&tgid) {
            return *port;
        }
        let port = match listeners::ports_of(Path::new("/proc"), tgid).as_slice() {
            [port] => *port,
            _ => 0,
        };
        if self.ports.len() >= MAX_KNOWN {
            self.ports.clear();
        }
        self.ports.insert(tgid, port);
        port
    }

    /// The service that listens there and whose process `tgid` has taken the connection.
    pub fn find(&mut self, config: &Config, batch: &mut Batch<'_>, on: Listens<'_>, tgid: u32) -> Option<u32> {
        let known = match on {
            Listens::OnPort(port) => self.known.get(&(port, tgid)),
            Listens::OnSocket(name) => self.known_sockets.get(&(name.into(), tgid)),
        };
        if let Some(known) = known {
            return *known;
        }
        if self.known.len() + self.known_sockets.len() >= MAX_KNOWN {
            self.known.clear();
            self.known_sockets.clear();
        }
        let index = self.look_up(config, batch, on, tgid);
        match on {
            Listens::OnPort(port) => self.known.insert((port, tgid), index),
            Listens::OnSocket(name) => self.known_sockets.insert((name.into(), tgid), index),
        };
        index
    }

    fn look_up(&mut self, config: &Config, batch: &mut Batch<'_>, on: Listens<'_>, tgid: u32) -> Option<u32> {
        let (comm, executable) = process::names(tgid);
        let container = self.containers.of(tgid);
        let (port, socket) = match on {
            Listens::OnPort(port) => (port, None),
            Listens::OnSocket(name) => (0, Some(name)),
        };
        let (comm, executable) = (comm.as_deref(), executable.as_deref());
        let candidate = Candidate { port, socket, comm, executable, ..Candidate::default() };
        let candidate = container.as_ref().map_or(candidate, |container| container.describe(candidate));
        let found = match config.service_of(&candidate) {
            Some(service) => {
                let name = service.name.to_string();
                let id = numbered(config, batch, &name, container.as_deref());
                Some((self.configured(config, id, service), name))
            }
            None if config.capture.discover => {
                let comm = comm.unwrap_or("unknown");
                let name = match on {
                    Listens::OnPort(port) => format!("{comm}:{port}"),
                    Listens::OnSocket(name) => format!("{comm}:{name}"),
                };
                let id = numbered(config, batch, &name, container.as_deref());
                Some((self.discovered(config, id, &name), name))
            }
            None => None,
        };
        if let (Some((_, name)), Some(container)) = (&found, &container) {
            self.placed.add(name, container, tgid);
        }
        found.map(|(index, _)| index)
    }

    fn configured(&mut self, config: &Config, id: ServiceId, service: &config::Service) -> u32 {
        if let Some(index) = self.numbered.get(&id) {
            return *index;
        }
        let (classes, rules) = profiles(service.profile);
        let hosts: Vec<String> = service.virtual_hosts.iter().map(|host| host.to_string()).collect();
        let operations: Vec<RouteRule> = config.operations_of(service).map(route).collect();
        let built = Service {
            name: (&*service.name).into(),
            id,
            classifier: classifier(classes, &hosts, &operations),
            rules: RuleSet::new(rules, service.behind_gateway),
            profile: rules,
            client_facing: service.client_facing,
            plain: service.profile == config::Profile::Http,
            behind_gateway: service.behind_gateway,
        };
        self.add(built)
    }

    fn discovered(&mut self, config: &Config, id: ServiceId, name: &str) -> u32 {
        if let Some(index) = self.numbered.get(&id) {
            return *index;
        }
        let operations: Vec<RouteRule> = config.operations.iter().map(route).collect();
        let built = Service {
            name: name.into(),
            id,
            classifier: classifier(Profile::Http, &[], &operations),
            rules: RuleSet::new(RuleProfile::Http, false),
            profile: RuleProfile::Http,
            // Only operations that the configuration declares as S3's count.
            client_facing: true,
            plain: true,
            behind_gateway: false,
        };
        self.add(built)
    }

    fn add(&mut self, service: Service) -> u32 {
        let index = self.services.len() as u32;
        self.numbered.insert(service.id, index);
        self.services.push(service);
        index
    }

    /// Forgets which connection belongs where: the configuration has changed. Services in use stay valid by index.
    pub fn forget(&mut self) {
        self.known.clear();
        self.known_sockets.clear();
        self.numbered.clear();
        self.ports.clear();
    }
}

/// The number of a service, with its container where the labels tell that.
fn numbered(config: &Config, batch: &mut Batch<'_>, name: &str, container: Option<&Container>) -> ServiceId {
    if !config.labels.container {
        return batch.service(name);
    }
    let names = container.map(|container| &container.names);
    let known = |name: fn(&Names) -> &Option<Box<str>>| names.and_then(|names| name(names).as_deref());
    let short = container.and_then(|container| container.id.get(..SHORT_ID));
    let own = known(|names| &names.container).or(short).unwrap_or_default();
    let (pod, namespace) = (known(|names| &names.pod), known(|names| &names.namespace));
    batch.service_in(name, [own, pod.unwrap_or_default(), namespace.unwrap_or_default()])
}

/// How much of a container's id stands for a name that nobody tells, as with Docker and its like.
const SHORT_ID: usize = 12;

fn profiles(profile: config::Profile) -> (Profile, RuleProfile) {
    match profile {
        config::Profile::Http => (Profile::Http, RuleProfile::Http),
        config::Profile::S3 => (Profile::S3, RuleProfile::S3),
        config::Profile::Hippius2025 => (Profile::Hippius2025, RuleProfile::Hippius2025),
        config::Profile::Hippius2026 => (Profile::Hippius2026Api, RuleProfile::Hippius2026),
        config::Profile::Hippius2026Gateway => (Profile::Hippius2026Gateway, RuleProfile::Hippius2026),
    }
}

/// What the configuration has accepted, the classifier accepts; were it not so, requests go by the profile alone.
fn classifier(profile: Profile, hosts: &[String], operations: &[RouteRule]) -> Classifier {
    Classifier::new(profile, hosts, operations).unwrap_or_else(|errors| {
        for error in errors {
            tracing::warn!("operation of the configuration not used: {error}");
        }
        Classifier::plain(profile)
    })
}

/// An operation of the configuration, as a classifier takes it.
pub fn route(operation: &Operation) -> RouteRule {
    let mut path = String::new();
    for (index, segment) in operation.path.segments.iter().enumerate() {
        let _ = match segment {
            Segment::Literal(text) => write!(path, "/{text}"),
            Segment::One => write!(path, "/{{s{index}}}"),
            Segment::Rest => write!(path, "/{{s{index}*}}"),
        };
    }
    let query: Vec<String> = operation
        .query
        .iter()
        .map(|parameter| match &parameter.value {
            Some(value) => format!("{}={value}", parameter.name),
            None => parameter.name.to_string(),
        })
        .collect();
    RouteRule {
        method: operation.method.as_deref().map(str::to_owned),
        path: if path.is_empty() { "/".to_owned() } else { path },
        query: (!query.is_empty()).then(|| query.join("&")),
        name: operation.name.to_string(),
        s3: operation.s3,
        ..RouteRule::default()
    }
}
