//! `cargo xtask dashboards`: Grafana's JSON from the short sources that people read and change.
//!
//! A source names what differs from panel to panel; everything that Grafana wants in each of them is in [`grafana`].

mod grafana;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::step;
use crate::workspace::Workspace;

const SOURCES: &str = "monitoring/grafana/source";
const DASHBOARDS: &str = "monitoring/grafana/dashboards";

/// Write Grafana's dashboards from their sources.
///
/// Reads monitoring/grafana/source/*.toml and writes monitoring/grafana/dashboards/*.json.
#[derive(clap::Args)]
pub struct Args {
    /// Write nothing; fail if a dashboard is not what its source gives
    #[arg(long)]
    pub check: bool,
}

pub fn task(workspace: &Workspace, args: &Args) -> Result<()> {
    for source in sources(&workspace.join(SOURCES))? {
        let name = source.with_extension("json");
        let target = workspace.join(DASHBOARDS).join(name.file_name().context("a source without a name")?);
        let wanted = dashboard(&source)?;
        if fs::read_to_string(&target).is_ok_and(|found| found == wanted) {
            continue;
        }
        if args.check {
            bail!("{} is not what its source gives: run `cargo xtask dashboards`", target.display());
        }
        fs::write(&target, wanted).with_context(|| format!("cannot write {}", target.display()))?;
        step::say(&format!("wrote {}", target.display()));
    }
    Ok(())
}

/// The JSON of one source's dashboard, with a line feed at its end.
fn dashboard(source: &Path) -> Result<String> {
    let text = fs::read_to_string(source).with_context(|| format!("cannot read {}", source.display()))?;
    let read: source::Dashboard = toml::from_str(&text).with_context(|| format!("{}", source.display()))?;
    let mut json = serde_json::to_string_pretty(&grafana::dashboard(&read)).context("JSON")?;
    json.push('\n');
    Ok(json)
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    Ok(paths)
}
