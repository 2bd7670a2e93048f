//! Services told apart by their containers, and what is said about those.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::config::Config;
use hippius_tests::expect::{self, Expected};
use hippius_tests::lab;
use hippius_tests::servers::contained::{Contained, container_id, uuid, with_runtime_files};
use hippius_tests::wait;

/// The same port in three network namespaces, and another one that no configuration names.
const PORT: u16 = 8000;
const OTHER_PORT: u16 = 8001;
const INFO: &str = "hippius_service_container_info";

fn write(root: &Path, path: &str, text: &str) -> Result<()> {
    let path: PathBuf = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap_or(root))?;
    Ok(std::fs::write(path, text)?)
}

#[test]
fn one_program_on_one_port_in_several_containers_is_several_services() {
    lab::with_agent("containers", |lab| {
        let (web, api, bare) = (container_id()?, container_id()?, container_id()?);
        let pod = uuid()?;
        let root = lab.workdir.join("root");
        write(&root, &format!("var/lib/docker/containers/{web}/config.v2.json"), r#"{"Name":"/shop-web-1"}"#)?;
        let annotations = r#"{"annotations":{"io.kubernetes.cri.container-name":"api",
            "io.kubernetes.cri.sandbox-name":"api-7d9f","io.kubernetes.cri.sandbox-namespace":"s3"}}"#;
        let task = "run/containerd/io.containerd.runtime.v2.task/k8s.io";
        write(&root, &format!("{task}/{api}/config.json"), annotations)?;

        let slice = format!("kubepods-burstable-pod{}.slice", pod.replace('-', "_"));
        let api_group = format!("kubepods.slice/kubepods-burstable.slice/{slice}/cri-containerd-{api}.scope");
        let start = |name: &str, group: &str, port| Contained::start(&lab.workdir, name, group, port);
        let mut web_server = start("web", &format!("docker/{web}"), PORT)?;
        let api_server = start("api", &api_group, OTHER_PORT)?;
        let bare_server = start("bare", &format!("machine.slice/libpod-{bare}.scope"), PORT)?;
        let stranger = start("stranger", "hippius-test.slice/shop-web-1.service", PORT)?;

        let prefix: String = bare.chars().take(12).collect();
        let service = |name: &str, more: &str| format!("[[service]]\nname = {name:?}\nprofile = \"http\"\n{more}\n");
        let config = Config::new()
            .section(&service("web", &format!("ports = [{PORT}]\ncontainer = \"shop-web-?\"")))
            .section(&service("api", "pod = \"api-*\"\nnamespace = \"s3\""))
            .section(&service("bare", &format!("ports = [{PORT}]\ncontainer = \"{prefix}*\"")));
        let agent = Agent::start_with(config.text(), &lab.workdir, |command| with_runtime_files(command, &root))?;

        for (name, server, requests) in [("web", &web_server, 3), ("api", &api_server, 2), ("bare", &bare_server, 4)] {
            let (received, sent) = server.serve(requests)?;
            expect::exactly(lab, &agent, name, &Expected::requests(requests as u64).bytes(received, sent))?;
        }
        stranger.serve(2)?;
        let expected: [&[(&str, &str)]; 3] = [
            &[("service", "web"), ("container_id", &web), ("container", "shop-web-1"), ("pod", ""), ("pod_uid", "")],
            &[
                ("service", "api"),
                ("container_id", &api),
                ("container", "api"),
                ("pod", "api-7d9f"),
                ("namespace", "s3"),
                ("pod_uid", &pod),
            ],
            &[("service", "bare"), ("container_id", &bare), ("container", ""), ("pod", ""), ("namespace", "")],
        ];
        let metrics = lab.settle(&agent, |metrics| metrics.sum(INFO, &[]) == 3)?;
        for labels in expected {
            ensure!(metrics.sum(INFO, labels) == 1, "{labels:?}:\n{}", metrics.lines_with(INFO));
        }
        ensure!(metrics.sum(INFO, &[]) == 3, "{}", metrics.lines_with(INFO));
        let requests = metrics.sum("http_requests_total", &[]);
        ensure!(requests == 9, "9 requests to services, {requests} counted: the stranger is none of them");

        web_server.stop()?;
        wait::until("the ended container is gone", wait::WIDE, || {
            let metrics = agent.scrape().ok()?;
            let gone = metrics.sum(INFO, &[("service", "web")]) == 0 && metrics.sum(INFO, &[]) == 2;
            // What it has served stays.
            (gone && metrics.sum("http_requests_total", &[("service", "web")]) == 3).then_some(())
        })
    });
}

/// One service on one port in two containers, and the same outside: told apart by labels, where the configuration asks for them.
#[test]
fn containers_are_labels_where_the_configuration_says_so() {
    lab::with_agent("container-labels", |lab| {
        let (named, bare) = (container_id()?, container_id()?);
        let root = lab.workdir.join("root");
        let annotations = r#"{"annotations":{"io.kubernetes.cri.container-name":"api",
            "io.kubernetes.cri.sandbox-name":"api-7d9f","io.kubernetes.cri.sandbox-namespace":"s3"}}"#;
        let task = "run/containerd/io.containerd.runtime.v2.task/k8s.io";
        write(&root, &format!("{task}/{named}/config.json"), annotations)?;
        std::fs::create_dir_all(root.join("var/lib"))?;
        let pod = uuid()?.replace('-', "_");
        let start = |name: &str, group: &str| Contained::start(&lab.workdir, name, group, PORT);
        let servers = [
            start("named", &format!("kubepods.slice/kubepods-pod{pod}.slice/cri-containerd-{named}.scope"))?,
            start("bare", &format!("docker/{bare}"))?,
            start("outside", "hippius-test.slice/outside.service")?,
        ];
        let config = Config::new().section("[labels]\ncontainer = true\n").service("api", PORT);
        let agent = Agent::start_with(config.text(), &lab.workdir, |command| with_runtime_files(command, &root))?;
        let prefix: String = bare.chars().take(12).collect();
        let places = [["api", "api-7d9f", "s3"], [&prefix, "", ""], ["", "", ""]];
        let mut all = (0, 0, 0);
        for ((server, place), requests) in servers.iter().zip(places).zip([3, 4, 5]) {
            let (received, sent) = server.serve(requests)?;
            let labels = |more: (&'static str, &'static str)| {
                let [container, pod, namespace] = place;
                [("service", "api"), ("container", container), ("pod", pod), ("namespace", namespace), more]
            };
            let found = |metrics: &hippius_tests::metrics::Metrics| {
                let bytes = |name: &str, way| metrics.sum(name, &labels(("direction", way)));
                let count = metrics.sum("http_requests_total", &labels(("method", "GET")));
                (count, bytes("http_request_bytes_total", "in"), bytes("http_response_bytes_total", "out"))
            };
            let wanted = (requests as u64, received, sent);
            let metrics = lab.settle(&agent, |metrics| found(metrics) == wanted)?;
            ensure!(found(&metrics) == wanted, "{place:?}: {wanted:?}\n{}", metrics.lines_with("http_requests_total"));
            all = (all.0 + wanted.0, all.1 + wanted.1, all.2 + wanted.2);
        }
        // Over all containers it is the service.
        expect::exactly(lab, &agent, "api", &Expected::requests(all.0).bytes(all.1, all.2))?;
        Ok(())
    });
}
