//! The configuration file: every problem has its line, and a good file is the same each time.
#![no_main]

use hippius_agent::config::{Config, Surroundings, diff};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    let environment = |name: &str| (name == "REDIS_URL").then(|| "redis://localhost".to_owned());
    let around = Surroundings { folder: Path::new("/nonexistent"), environment: &environment };
    match Config::parse(text, Path::new("agent.toml"), &around) {
        Ok(config) => {
            let again = Config::parse(text, Path::new("agent.toml"), &around);
            assert_eq!(again.as_ref(), Ok(&config));
            let _ = diff(&config, &config);
            for service in &config.services {
                assert!(config.operations_of(service).count() >= service.operations.len());
            }
        }
        Err(errors) => {
            let lines = text.matches('\n').count() + 1;
            assert!(!errors.problems().is_empty(), "refused without a reason");
            for problem in errors.problems() {
                let (line, column) = problem.position.expect("a place in the text");
                assert!((1..=lines).contains(&line) && column > 0, "{problem} at {line}:{column}");
            }
            assert!(errors.to_string().lines().count() >= errors.problems().len());
        }
    }
});
