//! Debian's kernels.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::matrix::Kernel;
use crate::step;
use crate::toolchain::debian::{self, Apt};

/// A kernel on the disk.
#[derive(Debug)]
pub struct Image {
    pub vmlinuz: PathBuf,
    /// Name of the package that it is from.
    pub package: String,
}

/// Gives the kernel from `folder`, fetched first where it is missing or `refresh` is asked for.
pub fn image(folder: &Path, kernel: &Kernel, refresh: bool) -> Result<Image> {
    fs::create_dir_all(folder)?;
    let (vmlinuz, package) = (folder.join("vmlinuz"), folder.join("package"));
    if !refresh && vmlinuz.is_file() {
        let package = fs::read_to_string(&package)?.trim().to_owned();
        return Ok(Image { vmlinuz, package });
    }
    let name = download(folder, kernel).with_context(|| format!("cannot fetch Debian's kernel {}", kernel.series))?;
    fs::write(&package, &name)?;
    Ok(Image { vmlinuz, package: name })
}

fn download(folder: &Path, kernel: &Kernel) -> Result<String> {
    let suite = format!("{}-security", kernel.release);
    let state = Apt::new(&folder.join("apt"), kernel.arch.debian(), "debian-security", &suite)?;
    let newest = format!("linux-image-cloud-{}", kernel.arch.debian());
    let depends = step::answer(state.tool("apt-cache").args(["depends", "--important", &newest]))
        .with_context(|| format!("there is no package {newest}"))?;
    let package = image_package(&depends).with_context(|| format!("no kernel among {depends:?}"))?;
    let series = format!("linux-image-{}.", kernel.version());
    if !package.starts_with(&series) {
        bail!("{}'s kernel is {package} and not {}", kernel.release, kernel.version());
    }
    let fetched = folder.join("package.d");
    let files = state.download(&[package], &fetched)?;
    let file = files.first().context("apt-get downloaded nothing")?;
    unpack(file, &fetched.join("unpacked"), folder)?;
    fs::remove_dir_all(&fetched)?;
    fs::remove_dir_all(folder.join("apt"))?;
    Ok(package.to_owned())
}

/// Only the image itself; the modules of the package are not needed.
fn unpack(package: &Path, boot: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(boot)?;
    let words = ["--wildcards", "--strip-components=2", "./boot/vmlinuz-*"];
    debian::unpack(package, &words, boot)?;
    let image = fs::read_dir(boot)?.next().context("the package has no /boot/vmlinuz")??;
    fs::rename(image.path(), folder.join("vmlinuz"))?;
    Ok(())
}

/// The kernel that the metapackage stands for.
fn image_package(depends: &str) -> Option<&str> {
    let names = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    names.map(str::trim).find(|name| name.starts_with("linux-image-"))
}

#[cfg(test)]
mod tests {
    use super::image_package;

    #[test]
    fn the_metapackage_names_its_kernel() {
        let depends = "linux-image-cloud-amd64\n  Depends: linux-image-5.10.0-46-cloud-amd64\n";
        assert_eq!(image_package(depends), Some("linux-image-5.10.0-46-cloud-amd64"));
        assert_eq!(image_package("linux-image-cloud-amd64\n  Depends: dpkg\n"), None);
    }
}
