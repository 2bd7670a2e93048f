//! `[[service]]`: what is watched.

use super::container::{self, ContainerPattern};
use super::error::{Refusal, shown};
use super::operation::{self, Operation, checked, required};
use super::ports::{self, Ports, named};
use super::process::ProcessPattern;
use super::read::{Found, Place, Section};
use super::schema;
use super::sockets::{self, Sockets};
use std::sync::Arc;

/// One watched service. A socket belongs to the first service in the file of which everything fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The `service` label.
    pub name: Arc<str>,
    /// Ports that it listens on; with no Unix socket either, any.
    pub ports: Ports,
    /// Unix sockets that it listens on; with no port either, any.
    pub sockets: Sockets,
    /// Process that listens; `None` means any.
    pub process: Option<ProcessPattern>,
    /// Containers that it runs in.
    pub within: ContainerPattern,
    /// What it speaks.
    pub profile: Profile,
    /// Whether its peers are a trusted gateway, so that `X-Hippius-*` request headers are believed.
    pub behind_gateway: bool,
    /// Whether this hop faces the client, so that its exchanges count in `s3_*`.
    pub client_facing: bool,
    /// Host names under which the bucket is the first label of `Host`, without a port, in lower case.
    pub virtual_hosts: Vec<Box<str>>,
    /// Names for its own endpoints; they come before those of the whole file.
    pub operations: Vec<Operation>,
}

/// What a service speaks, and with it the defaults of the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Any HTTP service.
    Http,
    /// Any S3 service.
    S3,
    /// Hippius S3 of 2025: one API that clients speak to.
    Hippius2025,
    /// API of Hippius S3 of 2026, which stands behind the gateway.
    Hippius2026,
    /// Gateway of Hippius S3 of 2026, which clients speak to.
    Hippius2026Gateway,
}

/// Names of the profiles.
pub const PROFILES: &[(&str, Profile)] = &[
    ("http", Profile::Http),
    ("s3", Profile::S3),
    ("hippius-2025", Profile::Hippius2025),
    ("hippius-2026", Profile::Hippius2026),
    ("hippius-2026-gateway", Profile::Hippius2026Gateway),
];

impl Service {
    /// Whether it may listen on this port, or on this Unix socket.
    pub fn listens_on(&self, port: u16, socket: Option<&str>) -> bool {
        let here = socket.map_or_else(|| self.ports.contains(port), |name| self.sockets.contains(name));
        here || self.is_anywhere()
    }

    /// Whether nothing is said of where it listens.
    pub fn is_anywhere(&self) -> bool {
        self.ports.is_empty() && self.sockets.is_empty()
    }
}

/// A service, the place of its table and those of its ports and Unix sockets.
struct Read {
    service: Service,
    table: Place,
    ports: Option<Place>,
    sockets: Option<Place>,
}

/// Reads all services; `client_facing` of one depends on whether another is the gateway.
pub(super) fn read_all(sections: &[Section<'_>]) -> Vec<Service> {
    let profile = |section: &Section<'_>| section.choice("profile", PROFILES).unwrap_or(Profile::Http);
    let profiles: Vec<Profile> = sections.iter().map(profile).collect();
    let gateway = profiles.contains(&Profile::Hippius2026Gateway);
    let mut services: Vec<Read> = Vec::new();
    for (section, profile) in sections.iter().zip(profiles) {
        let Some(read) = read(section, profile, gateway) else { continue };
        refuse_clashes(section, &read, &services);
        services.push(read);
    }
    services.into_iter().map(|read| read.service).collect()
}

fn read(section: &Section<'_>, profile: Profile, gateway: bool) -> Option<Read> {
    let name = required(section, "name").and_then(|found| checked(section, found, name));
    let ports = section.has("ports").then(|| ports::read(section)).flatten();
    let sockets = section.has("sockets").then(|| sockets::read(section)).flatten();
    let process = section.string("process").and_then(|found| checked(section, found, process));
    let within = ContainerPattern::read(section);
    if !["ports", "sockets", "process"].into_iter().chain(container::KEYS).any(|key| section.has(key)) {
        let refusal = Refusal::new("nothing says which sockets are meant")
            .allowed("\"ports\", \"sockets\", \"process\", \"container\", \"pod\", \"namespace\", or several of them");
        section.reading().refuse(&section.place, refusal);
    }
    let behind_gateway = behind_gateway(section, profile);
    let client_facing = section.boolean("client_facing").unwrap_or(profile != Profile::Hippius2026 || !gateway);
    let virtual_hosts = virtual_hosts(section, profile);
    let operations = operation::read_all(&section.sections(&schema::SERVICE_OPERATION));
    let (ports, ports_place) = ports.map_or((Ports::default(), None), |found| (found.value, Some(found.place)));
    let (sockets, sockets_place) = sockets.map_or((Sockets::default(), None), |found| (found.value, Some(found.place)));
    let name = name?;
    let service = Service {
        name,
        ports,
        sockets,
        process,
        within,
        profile,
        behind_gateway,
        client_facing,
        virtual_hosts,
        operations,
    };
    Some(Read { service, table: section.place_of("name"), ports: ports_place, sockets: sockets_place })
}

/// Refuses a name that is taken, and ports and sockets that another service has already: two services may share them only
/// where both name a process, a container, a pod or a namespace, and not the same one.
fn refuse_clashes(section: &Section<'_>, read: &Read, earlier: &[Read]) {
    let reading = section.reading();
    let Read { service, table, ports, sockets } = read;
    if let Some(same) = earlier.iter().find(|other| other.service.name == service.name) {
        let line = reading.line(&same.table);
        reading.refuse(table, format!("the name \"{}\" is taken by the service in line {line}", service.name));
    }
    let told_apart = |other: &Service| {
        let by_process = matches!((&service.process, &other.process), (Some(mine), Some(theirs)) if mine != theirs);
        by_process || service.within.differs(&other.within)
    };
    for other in earlier.iter().map(|read| &read.service).filter(|other| !told_apart(other)) {
        let refuse = |place: &Place, shared: String, of_its_own: &str| {
            let refusal = format!("{shared} belongs to the service \"{}\" already", other.name);
            let allowed =
                format!("{of_its_own} of its own, or a different \"process\" or \"container\" for each of the two");
            reading.refuse(place, Refusal::new(refusal).allowed(allowed));
        };
        if let (Some(shared), Some(place)) = (service.ports.overlap(&other.ports), ports) {
            refuse(place, named(&shared), "ports");
        }
        if let (Some(shared), Some(place)) = (service.sockets.overlap(&other.sockets), sockets) {
            refuse(place, shown(shared), "sockets");
        }
    }
}

fn behind_gateway(section: &Section<'_>, profile: Profile) -> bool {
    let trusted = section.boolean("behind_gateway").unwrap_or(profile == Profile::Hippius2026);
    if trusted && profile == Profile::Hippius2026Gateway {
        let refusal = Refusal::new("a gateway speaks with clients, who can write any header").allowed("false");
        section.reading().refuse(&section.place_of("behind_gateway"), refusal);
    }
    trusted
}

fn virtual_hosts(section: &Section<'_>, profile: Profile) -> Vec<Box<str>> {
    let hosts = section.strings("virtual_hosts").unwrap_or_default();
    if profile == Profile::Http && section.has("virtual_hosts") {
        let refusal = Refusal::new("profile \"http\" has no buckets").allowed("an S3 profile with virtual_hosts");
        section.reading().refuse(&section.place_of("virtual_hosts"), refusal);
    }
    hosts.into_iter().filter_map(|found: Found<&str>| checked(section, found, host)).collect()
}

pub(super) fn name(text: &str) -> Result<Arc<str>, Refusal> {
    const LONGEST: usize = 64;
    let good = (1..=LONGEST).contains(&text.len())
        && !text.starts_with("__")
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if good {
        return Ok(text.into());
    }
    Err(Refusal::new(format!("{} is no name of a service", shown(text)))
        .allowed(format!("1 to {LONGEST} letters, digits, '.', '_' and '-', not beginning with __")))
}

pub(super) fn process(text: &str) -> Result<ProcessPattern, Refusal> {
    if !text.is_empty() && !text.contains('/') && !text.chars().any(char::is_control) {
        return Ok(ProcessPattern::new(text));
    }
    Err(Refusal::new(format!("{} is no name of a process", shown(text)))
        .allowed("the process's comm or its executable's file name without a folder; * and ? stand for anything"))
}

fn host(text: &str) -> Result<Box<str>, Refusal> {
    let label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if text.len() <= 253 && text.split('.').all(label) {
        return Ok(text.to_ascii_lowercase().into());
    }
    Err(Refusal::new(format!("{} is no host name", shown(text)))
        .allowed("a host name without scheme, port and wildcard, such as \"s3.example.com\""))
}
