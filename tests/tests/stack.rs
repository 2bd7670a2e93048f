//! The ways to run the stack: each is accepted by its own tool, and the rights that they give are enough for the agent.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::clients::curl;
use hippius_tests::config::Config;
use hippius_tests::lab::{self, Lab};
use hippius_tests::workdir::Workdir;
use hippius_tests::{node, paths, process, python, servers};
use serde_yaml_ng::Value;

fn monitoring(path: &str) -> PathBuf {
    paths::workspace().join("monitoring").join(path)
}

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(monitoring(path)).with_context(|| path.to_owned())
}

fn yaml(path: &str) -> Result<Value> {
    serde_yaml_ng::from_str(&read(path)?).with_context(|| path.to_owned())
}

/// The words of a YAML list.
fn words(list: &Value) -> BTreeSet<String> {
    list.as_sequence().into_iter().flatten().filter_map(|word| Some(word.as_str()?.to_owned())).collect()
}

/// The value of a key of the unit.
fn of_unit(key: &str) -> Result<String> {
    let unit = read("systemd/hippius-agent.service")?;
    let line = unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    Ok(line.with_context(|| format!("the unit has no {key}"))?.to_owned())
}

fn compose(password: Option<&str>) -> Command {
    let mut command = Command::new("docker-compose");
    command.arg("-f").arg(monitoring("compose.yaml")).args(["--profile", "otel", "config"]);
    command.env_remove("GRAFANA_ADMIN_PASSWORD").envs(password.map(|password| ("GRAFANA_ADMIN_PASSWORD", password)));
    command
}

#[test]
fn compose_accepts_the_stack_but_never_without_a_password() -> Result<()> {
    let refused = compose(None).output().context("docker-compose")?;
    ensure!(!refused.status.success(), "it takes no password for one");
    ensure!(String::from_utf8_lossy(&refused.stderr).contains("GRAFANA_ADMIN_PASSWORD"));

    let config: Value = serde_yaml_ng::from_str(&process::run(&mut compose(Some("chosen")))?)?;
    let services = config["services"].as_mapping().context("services")?;
    ensure!(services.len() == 4, "{services:?}");
    for (name, service) in services {
        let image = service["image"].as_str().context("image")?;
        let tag = image.rsplit_once(':').with_context(|| format!("{image}: no version"))?.1;
        ensure!(tag.starts_with(|c: char| c.is_ascii_digit() || c == 'v'), "{image}: a version that moves");
        ensure!(service["network_mode"] == "host" && service["ports"].is_null(), "{name:?} is reachable from outside");
        ensure!(words(&service["cap_drop"]).contains("ALL"), "{name:?} keeps Docker's capabilities");
    }
    let prometheus = words(&services["prometheus"]["command"]);
    for option in [
        "--web.listen-address=127.0.0.1:9090",
        "--storage.tsdb.retention.time=30d",
        "--web.enable-lifecycle",
        "--web.enable-admin-api",
    ] {
        ensure!(prometheus.contains(option), "{option}");
    }
    ensure!(services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1");
    // Each file that a container is given is there.
    for service in services.values() {
        let volumes = service["volumes"].as_sequence().into_iter().flatten().filter_map(Value::as_str);
        for source in volumes.filter_map(|volume| volume.split(':').next()) {
            let ours = Path::new(source).starts_with(paths::workspace());
            ensure!(!ours || Path::new(source).exists(), "{source} is not there");
        }
    }
    Ok(())
}

#[test]
fn unit_container_and_daemon_set_give_the_same_capabilities() -> Result<()> {
    let unit: BTreeSet<String> =
        of_unit("AmbientCapabilities")?.split(' ').map(|name| name.trim_start_matches("CAP_").to_owned()).collect();
    ensure!(of_unit("AmbientCapabilities")? == of_unit("CapabilityBoundingSet")?);
    ensure!(words(&yaml("compose.yaml")?["services"]["agent"]["cap_add"]) == unit, "compose.yaml");
    let text = read("kubernetes/agent.yaml")?;
    let daemon_set: Value = serde_yaml_ng::from_str(text.split("\n---\n").next().context("a document")?)?;
    let context = &daemon_set["spec"]["template"]["spec"]["containers"][0]["securityContext"];
    ensure!(words(&context["capabilities"]["add"]) == unit, "kubernetes/agent.yaml");
    ensure!(words(&context["capabilities"]["drop"]).contains("ALL") && context["privileged"] == false);
    Ok(())
}

#[test]
fn systemd_accepts_the_unit() -> Result<()> {
    let workdir = Workdir::new("unit")?;
    // `verify` wants the program to be there.
    let program = paths::agent_binary()?.display().to_string();
    let unit = read("systemd/hippius-agent.service")?.replace("/usr/local/bin/hippius-agent", &program);
    let unit = workdir.write("hippius-agent.service", unit)?;
    let output = Command::new("systemd-analyze").arg("verify").arg(&unit).output().context("systemd-analyze")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success() && !said.contains("hippius-agent.service:"), "{said}");
    // 10 is a service without any sandbox; what is left open are the capabilities and the host's network.
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=yes", "--threshold=30", "--no-pager"]).arg(&unit);
    process::run(&mut security).map(drop)
}

#[test]
fn the_units_capabilities_are_enough() {
    lab::with_agent("capabilities", |lab| {
        let capabilities = of_unit("AmbientCapabilities")?;
        let set: Vec<String> = capabilities.split(' ').map(|name| format!("+{}", name[4..].to_lowercase())).collect();
        let set = format!("-all,{}", set.join(","));
        // As the unit does it: an ordinary user, these in all sets, nothing else, and no way to get more.
        let words = ["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"].map(String::from);
        let sets = [format!("--inh-caps={set}"), format!("--ambient-caps={set}"), format!("--bounding-set={set}")];
        captures_with(lab, &[&words[..], &sets[..]].concat())
    });
}

#[test]
fn the_containers_capabilities_are_enough() {
    lab::with_agent("container-capabilities", |lab| {
        let added = words(&yaml("compose.yaml")?["services"]["agent"]["cap_add"]);
        let set: Vec<String> = added.iter().map(|name| format!("+{}", name.to_lowercase())).collect();
        // As a container runtime does it: root, whose capabilities end at the bounding set.
        captures_with(lab, &[format!("--bounding-set=-all,{}", set.join(",")), "--no-new-privs".to_owned()])
    });
}

/// Starts the agent by setpriv; it names the service, counts a request, and reads its configuration again.
fn captures_with(lab: &Lab, setpriv: &[String]) -> Result<()> {
    let server = servers::http_server(&lab.workdir)?;
    let config = Config::new().service("web", server.port);
    let mut agent = Agent::start_with(config.text(), &lab.workdir, |command| {
        let mut wrapped = Command::new("setpriv");
        wrapped.args(setpriv).arg("--").arg(command.get_program()).args(command.get_args());
        wrapped.process_group(0);
        *command = wrapped;
    })?;
    curl::curl(&[&format!("http://{}/", server.address())])?;
    let counted = [("service", "web"), ("outcome", "complete")];
    let metrics = lab.settle(&agent, |metrics| metrics.sum("http_requests_total", &counted) == 1)?;
    ensure!(metrics.sum("http_requests_total", &counted) == 1, "{}", metrics.lines_with("http_requests_total"));
    agent.reload(config.text())?;
    let reloaded = [("result", "success")];
    let metrics = lab.settle(&agent, |metrics| metrics.sum("hippius_agent_config_reloads_total", &reloaded) == 1)?;
    ensure!(metrics.sum("hippius_agent_config_reloads_total", &reloaded) == 1, "{}", agent.log());
    agent.stop().map(drop)
}

#[test]
fn hadolint_accepts_the_dockerfile() -> Result<()> {
    process::run(Command::new(python::tool("hadolint")?).arg(monitoring("Dockerfile"))).map(drop)
}

#[test]
fn kubernetes_and_the_prometheus_operator_accept_the_manifests() -> Result<()> {
    let mut validate = Command::new(python::tool("kubernetes-validate")?);
    validate.args(["--strict", "--version", "1.33"]);
    process::run(validate.args([monitoring("kubernetes/agent.yaml"), monitoring("kubernetes/namespace.yaml")]))?;
    let monitor = serde_json::to_string(&yaml("kubernetes/servicemonitor.yaml")?)?;
    let script = format!(
        "import {{ ServiceMonitor }} from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1';
         new ServiceMonitor({monitor}).validate();"
    );
    let modules = node::tools()?;
    process::run(Command::new("node").args(["--input-type=module", "-e", &script]).current_dir(modules)).map(drop)
}

/// What the schemas cannot see: names that have to be the same in several files.
#[test]
fn the_manifests_fit_together() -> Result<()> {
    let text = read("kubernetes/agent.yaml")?;
    let documents: Vec<Value> = text.split("\n---\n").map(serde_yaml_ng::from_str).collect::<Result<_, _>>()?;
    let [daemon_set, service] = documents.as_slice() else { anyhow::bail!("{} documents", documents.len()) };
    let pod = &daemon_set["spec"]["template"];
    let labels = &pod["metadata"]["labels"];
    let monitor = yaml("kubernetes/servicemonitor.yaml")?;
    ensure!(&daemon_set["spec"]["selector"]["matchLabels"] == labels && &service["spec"]["selector"] == labels);
    ensure!(monitor["spec"]["selector"]["matchLabels"] == service["metadata"]["labels"]);
    ensure!(monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]);
    ensure!(service["spec"]["ports"][0]["targetPort"] == pod["spec"]["containers"][0]["ports"][0]["name"]);
    // Of the alerts: up{job="hippius-agent"}.
    ensure!(
        labels["app.kubernetes.io/name"] == "hippius-agent" && monitor["spec"]["jobLabel"] == "app.kubernetes.io/name"
    );
    let image = &pod["spec"]["containers"][0]["image"];
    ensure!(image == &yaml("compose.yaml")?["services"]["agent"]["image"], "another version than in compose.yaml");
    // A configuration that the agent takes, but for the files of the secret.
    let workdir = Workdir::new("kubernetes")?;
    let config = read("kubernetes/agent.toml")?;
    let without_web: Vec<&str> = config.lines().filter(|line| !line.starts_with("web_config_file")).collect();
    ensure!(config.contains(&format!(
        "{}/web-config.yml",
        pod["spec"]["containers"][0]["volumeMounts"][1]["mountPath"].as_str().context("mountPath")?
    )));
    let file = workdir.write("agent.toml", without_web.join("\n"))?;
    let checked = Command::new(paths::agent_binary()?).arg("check").arg("--config").arg(file).output()?;
    ensure!(checked.status.code() != Some(2), "{}", String::from_utf8_lossy(&checked.stderr));
    Ok(())
}

#[test]
fn the_debian_package_installs_and_goes_without_a_trace() -> Result<()> {
    let workdir = Workdir::new("package")?;
    let mut build = Command::new(env!("CARGO"));
    build.args(["run", "--quiet", "--package", "xtask", "--", "package", "--binary"]).arg(paths::agent_binary()?);
    process::run(build.arg("--output").arg(workdir.path()).current_dir(paths::workspace()))?;
    let package = std::fs::read_dir(workdir.path())?.filter_map(|entry| Some(entry.ok()?.path()));
    let package =
        package.filter(|path| path.extension().is_some_and(|end| end == "deb")).last().context("a package")?;

    let root = workdir.join("root");
    for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "etc"] {
        std::fs::create_dir_all(root.join(folder))?;
    }
    std::fs::write(root.join("var/lib/dpkg/status"), "")?;
    let dpkg = |words: &[&str]| {
        let mut command = Command::new("dpkg");
        // Its scripts run here and work there; what it depends on is not in the folder.
        command.args(["--force-script-chrootless", "--force-depends", "--root"]).arg(&root).args(words);
        process::run(&mut command)
    };
    dpkg(&["--install", package.to_str().context("path")?])?;
    let users = std::fs::read_to_string(root.join("etc/group"))?;
    let group =
        users.lines().find_map(|line| line.strip_prefix("hippius-agent:x:")?.split(':').next()).context("a group")?;
    let config = root.join("etc/hippius-agent/agent.toml").metadata()?;
    ensure!(config.gid().to_string() == group && config.uid() == 0 && config.mode() & 0o777 == 0o640, "{config:?}");
    ensure!(root.join("etc/systemd/system/multi-user.target.wants/hippius-agent.service").is_symlink(), "not enabled");
    let unit = std::fs::read_to_string(root.join("usr/lib/systemd/system/hippius-agent.service"))?;
    ensure!(unit.contains("ExecStart=/usr/bin/hippius-agent run") && !unit.contains("/usr/local"), "{unit}");
    let program = root.join("usr/bin/hippius-agent");
    let version = process::run(Command::new(&program).arg("--version"))?;
    ensure!(version == process::run(Command::new(paths::agent_binary()?).arg("--version"))?, "{version}");
    let checked =
        Command::new(&program).args(["check", "--config"]).arg(root.join("etc/hippius-agent/agent.toml")).output()?;
    ensure!(checked.status.code() != Some(2), "{}", String::from_utf8_lossy(&checked.stderr));
    for file in
        ["prometheus/prometheus.yml", "prometheus/rules/alerts.yml", "grafana/dashboards/hippius-s3-overview.json"]
    {
        ensure!(
            std::fs::read(root.join("usr/share/hippius-agent").join(file))? == std::fs::read(monitoring(file))?,
            "{file}"
        );
    }
    ensure!(dpkg(&["--verify", "hippius-agent"])?.is_empty(), "files differ from their sums");

    dpkg(&["--purge", "hippius-agent"])?;
    for folder in ["usr", "etc/hippius-agent", "etc/systemd/system/multi-user.target.wants/hippius-agent.service"] {
        ensure!(!root.join(folder).exists(), "{folder} is left");
    }
    Ok(())
}
