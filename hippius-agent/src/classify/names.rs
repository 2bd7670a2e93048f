//! Names that the configuration gives, made `'static`.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// The one `'static` copy of `name`.
///
/// Copies are never freed: a label may outlive the configuration that named it. Called while a classifier is built
/// and never on the wire's behalf, so what stays is bounded by the distinct names of all configurations loaded; a
/// reload of the same file adds nothing.
pub(super) fn intern(name: &str) -> &'static str {
    static NAMES: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let names = names.get_or_insert_default();
    if let Some(known) = names.get(name) {
        return known;
    }
    let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(kept);
    kept
}

/// `PutObject` → `put_object`, `ListObjectsV2` → `list_objects_v2`; a name without capitals stays as it is.
pub(super) fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 8);
    for character in name.chars() {
        if character.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_is_kept_once() {
        let first = intern("kept_once");
        let second = intern(&String::from("kept_once"));
        assert!(std::ptr::eq(first, second));
    }

    #[test]
    fn capitals_become_underscores() {
        for (name, snake) in
            [("PutObject", "put_object"), ("ListObjectsV2", "list_objects_v2"), ("health", "health"), ("", "")]
        {
            assert_eq!(snake_case(name), snake);
        }
    }
}
