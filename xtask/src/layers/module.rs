//! Which crate and module a file is.

use std::collections::BTreeSet;

/// A module of one of the project's crates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Module {
    /// Directory of the crate, for example `hippius-agent`.
    pub package: String,
    /// Path below the crate's root; empty for `lib.rs`, `["main"]` for `main.rs`.
    pub path: Vec<String>,
}

/// The module that a file below a crate's `src` is.
pub fn of(file: &str) -> Option<Module> {
    let (package, inner) = file.strip_suffix(".rs")?.split_once("/src/")?;
    let mut path: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if path.last().is_some_and(|last| last == "mod") || path == ["lib"] {
        path.pop();
    }
    Some(Module { package: package.to_owned(), path })
}

impl Module {
    /// The top-level module that this one belongs to: the stage.
    pub fn top(&self) -> &str {
        self.path.first().map_or("lib", String::as_str)
    }

    /// Whether this module is one of `modules` or inside of one.
    pub fn is_within(&self, modules: &BTreeSet<Self>) -> bool {
        (0..=self.path.len())
            .any(|depth| modules.contains(&Self { package: self.package.clone(), path: self.path[..depth].to_vec() }))
    }

    /// Whether this module's path begins with `a::b::…`.
    pub fn starts_with(&self, prefix: &str) -> bool {
        let mut path = self.path.iter();
        prefix.split("::").all(|segment| path.next().is_some_and(|own| own == segment))
    }

    /// The child module `name`.
    pub fn child(&self, name: &str) -> Self {
        // `main.rs` is a crate root as `lib.rs` is: its children stand beside it.
        let parent: &[String] = if self.path == ["main"] { &[] } else { &self.path };
        Self { package: self.package.clone(), path: [parent, &[name.to_owned()]].concat() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(file: &str) -> Vec<String> {
        of(file).expect("a module").path
    }

    #[test]
    fn files_are_modules() {
        assert_eq!(path("hippius-agent/src/lib.rs"), Vec::<String>::new());
        assert_eq!(path("hippius-agent/src/decode/mod.rs"), ["decode"]);
        assert_eq!(path("hippius-agent/src/decode/http1.rs"), ["decode", "http1"]);
        assert_eq!(of("hippius-agent/src/main.rs").expect("a module").child("x").path, ["x"]);
        assert_eq!(of("hippius-agent/build.rs"), None);
    }

    #[test]
    fn a_module_is_within_its_parents() {
        let module = of("hippius-agent/src/attribute/store/redis.rs").expect("a module");
        assert!(module.starts_with("attribute::store"));
        assert!(!module.starts_with("attribute::stores"));
        let parents = BTreeSet::from([of("hippius-agent/src/attribute/store/mod.rs").expect("a module")]);
        assert!(module.is_within(&parents));
        assert!(!of("hippius-agent/src/attribute/mod.rs").expect("a module").is_within(&parents));
    }
}
