//! Operations that the configuration declares.

mod pattern;

pub use pattern::{PathPattern, PatternError, QueryPattern};

use super::names::{intern, snake_case};
use super::target::Target;
use super::{Class, ClassifierError, Effect, Payload, S3Operation, s3};

/// Most declared operations of one service: each is compared with each request.
pub const MAX_ROUTES: usize = 256;

/// Longest name of a declared operation, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// One declared operation, as the configuration says it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RouteRule {
    /// The method, case-sensitive; `None` is any.
    pub method: Option<String>,
    /// The path, in the language of [`PathPattern`].
    pub path: String,
    /// What the query must hold, in the language of [`QueryPattern`]; `None` is any query.
    pub query: Option<String>,
    /// The name: `[a-z0-9_]` or CamelCase, at most 64 characters. With `s3` it is the operation's name, and the
    /// handler is its snake case; without, it is the handler.
    pub name: String,
    /// Whether it counts as an S3 operation.
    pub s3: bool,
    /// What it creates or deletes; `None` is what the AWS operation of that name does, if there is one.
    pub effect: Option<Effect>,
    /// Which body is object data; `None` is that of the AWS operation of that name, if there is one.
    pub payload: Option<Payload>,
}

/// Why a declared operation is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The method is no token.
    #[error("method {0:?} is no token; allowed are letters, digits and !#$%&'*+-.^_`|~, for example \"GET\"")]
    Method(String),
    /// The path is no pattern.
    #[error("path {text:?}: {source}")]
    Path {
        /// The pattern as given.
        text: String,
        /// Where and why.
        source: PatternError,
    },
    /// The query is no pattern.
    #[error("query {text:?}: {source}")]
    Query {
        /// The pattern as given.
        text: String,
        /// Where and why.
        source: PatternError,
    },
    /// The name cannot be a label.
    #[error(
        "name {0:?} is not allowed; allowed are 1 to 64 characters, either of a-z, 0-9 and _ or in CamelCase, for example \"list_things\" or \"ListThings\""
    )]
    Name(String),
    /// An effect or a payload without `s3`.
    #[error("operation {0:?} has an effect or a payload but is no S3 operation; allowed only together with s3 = true")]
    NotS3(String),
}

/// A valid declared operation.
#[derive(Debug, Clone)]
pub(super) struct Route {
    method: Option<Box<str>>,
    path: PathPattern,
    query: Option<QueryPattern>,
    pub(super) class: Class,
}

impl Route {
    fn compile(rule: &RouteRule) -> Result<Self, RouteError> {
        if let Some(method) = rule.method.as_deref().filter(|method| !is_token(method)) {
            return Err(RouteError::Method(method.to_owned()));
        }
        let path = rule.path.parse().map_err(|source| RouteError::Path { text: rule.path.clone(), source })?;
        let query = match &rule.query {
            None => None,
            Some(text) => Some(text.parse().map_err(|source| RouteError::Query { text: text.clone(), source })?),
        };
        Ok(Self { method: rule.method.clone().map(String::into_boxed_str), path, query, class: class(rule)? })
    }

    pub(super) fn matches(&self, method: &str, target: &Target<'_>) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted == method)
            && self.path.matches(target.path)
            && self.query.as_ref().is_none_or(|query| query.matches(target))
    }
}

/// The valid ones of `rules`; what is wrong with the others is added to `errors`.
pub(super) fn compile(rules: &[RouteRule], errors: &mut Vec<ClassifierError>) -> Box<[Route]> {
    if rules.len() > MAX_ROUTES {
        errors.push(ClassifierError::TooManyRoutes);
    }
    let mut routes = Vec::new();
    for (index, rule) in rules.iter().enumerate().take(MAX_ROUTES) {
        match Route::compile(rule) {
            Ok(route) => routes.push(route),
            Err(source) => errors.push(ClassifierError::Route { index, source }),
        }
    }
    routes.into()
}

fn class(rule: &RouteRule) -> Result<Class, RouteError> {
    if !is_name(&rule.name) {
        return Err(RouteError::Name(rule.name.clone()));
    }
    if !rule.s3 {
        if rule.effect.is_some() || rule.payload.is_some() {
            return Err(RouteError::NotS3(rule.name.clone()));
        }
        return Ok(Class { handler: intern(&rule.name), s3: None });
    }
    let aws = s3::by_name(&rule.name);
    let operation = S3Operation {
        name: aws.map_or_else(|| intern(&rule.name), |aws| aws.name),
        effect: rule.effect.or(aws.map(|aws| aws.effect)).unwrap_or_default(),
        payload: rule.payload.or(aws.map(|aws| aws.payload)).unwrap_or_default(),
    };
    Ok(Class { handler: intern(&snake_case(&rule.name)), s3: Some(operation) })
}

/// RFC 9110 section 5.6.2.
fn is_token(method: &str) -> bool {
    !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_name(name: &str) -> bool {
    let snake = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    let camel = name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && (snake || camel)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(method: Option<&str>, path: &str, query: Option<&str>, name: &str) -> RouteRule {
        RouteRule {
            method: method.map(str::to_owned),
            path: path.to_owned(),
            query: query.map(str::to_owned),
            name: name.to_owned(),
            ..RouteRule::default()
        }
    }

    fn error(rule: &RouteRule) -> String {
        Route::compile(rule).map(|route| route.class).expect_err("must be refused").to_string()
    }

    #[test]
    fn method_path_and_query_must_all_match() {
        let route = Route::compile(&rule(Some("POST"), "/v1/{tenant}/items", Some("dry&mode=fast"), "add_items"))
            .expect("a good rule");
        let hit = |method: &str, target: &str| route.matches(method, &Target::parse(target).expect("a path"));
        assert!(hit("POST", "/v1/a/items?mode=fast&dry=1"));
        assert!(!hit("GET", "/v1/a/items?mode=fast&dry"));
        assert!(!hit("POST", "/v1/a/items?mode=slow&dry"));
        assert!(!hit("POST", "/v1/a/other?mode=fast&dry"));
        assert_eq!(route.class, Class { handler: "add_items", s3: None });
    }

    #[test]
    fn an_aws_name_brings_its_effect_and_payload() {
        let s3 = RouteRule { s3: true, ..rule(None, "/up/{key*}", None, "PutObject") };
        let class = Route::compile(&s3).expect("a good rule").class;
        let operation = class.s3.expect("an S3 operation");
        assert_eq!(class.handler, "put_object");
        assert_eq!(
            (operation.name, operation.effect, operation.payload),
            ("PutObject", Effect::ObjectCreated, Payload::Upload)
        );
        let quiet = RouteRule { effect: Some(Effect::None), payload: Some(Payload::None), ..s3 };
        let operation = Route::compile(&quiet).expect("a good rule").class.s3.expect("an S3 operation");
        assert_eq!((operation.effect, operation.payload), (Effect::None, Payload::None));
    }

    #[test]
    fn an_own_name_has_the_effect_that_is_said() {
        let own = RouteRule {
            s3: true,
            effect: Some(Effect::ObjectCreated),
            payload: Some(Payload::Upload),
            ..rule(Some("POST"), "/upload", None, "ArionUpload")
        };
        let class = Route::compile(&own).expect("a good rule").class;
        assert_eq!(class.handler, "arion_upload");
        assert_eq!(class.s3.map(|s3| (s3.name, s3.effect)), Some(("ArionUpload", Effect::ObjectCreated)));
    }

    #[test]
    fn a_bad_rule_says_what_is_allowed() {
        assert!(error(&rule(Some("GE T"), "/", None, "x")).starts_with("method \"GE T\" is no token; allowed"));
        assert!(error(&rule(None, "x", None, "x")).starts_with("path \"x\": character 1: "));
        assert!(error(&rule(None, "/", Some("&"), "x")).starts_with("query \"&\": character 1: "));
        for name in ["", "Get-It", "get it", "Snake_Camel", &"a".repeat(65)] {
            assert!(error(&rule(None, "/", None, name)).contains("is not allowed; allowed are"), "{name}");
        }
        let effect = RouteRule { effect: Some(Effect::ObjectCreated), ..rule(None, "/", None, "x") };
        assert!(error(&effect).contains("allowed only together with s3 = true"));
    }
}
