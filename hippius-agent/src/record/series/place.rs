//! Services as they stand in labels: the name alone, or with the container that it runs in.

use std::collections::HashMap;

use super::names::OTHER;
use super::text::push_label;
use crate::record::sample::ServiceId;

/// Most services in different containers with labels of their own.
const MAX_PLACES: usize = 1000;

/// Printed labels of services, by number. Number 0 is that of what finds no room at all.
#[derive(Debug)]
pub struct Places {
    texts: Vec<Box<str>>,
    known: HashMap<Box<str>, u16, ahash::RandomState>,
    /// Of them, those with a container.
    contained: usize,
}

impl Default for Places {
    fn default() -> Self {
        let mut places = Self { texts: Vec::new(), known: HashMap::default(), contained: 0 };
        places.id(OTHER, None);
        places
    }
}

impl Places {
    /// The number of a service, in a container where one is given: container, pod and namespace. `service` is one of a
    /// bounded table of names.
    pub fn id(&mut self, service: &str, place: Option<[&str; 3]>) -> ServiceId {
        let text = printed(service, place);
        if let Some(known) = self.known.get(&*text) {
            return ServiceId(*known);
        }
        if let Some(place) = place.filter(|place| *place != [OTHER; 3]) {
            if self.contained >= MAX_PLACES {
                return self.id(service, Some(place.map(|_| OTHER)));
            }
            self.contained += 1;
        }
        // At most one for each service, one more for its containers beyond the limit, and the containers.
        let Ok(id) = u16::try_from(self.texts.len()) else { return ServiceId(0) };
        self.texts.push(text.clone().into());
        self.known.insert(text.into(), id);
        ServiceId(id)
    }

    /// The labels with this number, printed and escaped.
    pub fn labels(&self, id: u16) -> &str {
        self.texts.get(usize::from(id)).or(self.texts.first()).map_or("", |text| text)
    }
}

fn printed(service: &str, place: Option<[&str; 3]>) -> String {
    let mut text = String::new();
    push_label(&mut text, "service", service);
    for (name, value) in ["container", "pod", "namespace"].into_iter().zip(place.into_iter().flatten()) {
        push_label(&mut text, name, value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_beyond_the_limit_keep_the_name_of_their_service() {
        let mut places = Places::default();
        let plain = places.id("api", None);
        assert_eq!(places.labels(plain.0), r#"service="api""#);
        let first = places.id("api", Some(["web", "pod-0", "s3"]));
        assert_eq!(places.labels(first.0), r#"service="api",container="web",pod="pod-0",namespace="s3""#);
        for pod in 1..MAX_PLACES {
            places.id("api", Some(["web", &format!("pod-{pod}"), "s3"]));
        }
        let beyond = places.id("api", Some(["web", "pod-next", "s3"]));
        let other = r#"service="api",container="__other__",pod="__other__",namespace="__other__""#;
        assert_eq!(places.labels(beyond.0), other);
        assert_eq!(places.id("api", Some(["web", "pod-0", "s3"])), first, "who is in stays in");
        assert_eq!(places.id("api", None), plain);
        assert_eq!(places.labels(u16::MAX), r#"service="__other__""#);
    }
}
