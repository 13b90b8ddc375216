//! The wish for a container, and the answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ContainerConfig, EndpointSettings};
use crate::host_config::HostConfig;

/// `POST /containers/create`: a [`ContainerConfig`] with two more fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerCreate {
    /// What it is like.
    pub config: ContainerConfig,
    /// How it is run here.
    pub host_config: HostConfig,
    /// Its networks.
    pub networking_config: NetworkingConfig,
}

/// The two fields beside the config.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Beside {
    host_config: HostConfig,
    networking_config: NetworkingConfig,
}

impl ContainerCreate {
    /// Reads the body of the request: the same text twice, since the fields lie side by side.
    pub fn read(text: &[u8]) -> Result<Self, crate::Malformed> {
        let Beside { host_config, networking_config } = crate::read(text)?;
        Ok(Self { config: crate::read(text)?, host_config, networking_config })
    }
}

impl Serialize for ContainerCreate {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Flat<'a> {
            #[serde(flatten)]
            config: &'a ContainerConfig,
            host_config: &'a HostConfig,
            networking_config: &'a NetworkingConfig,
        }
        let Self { config, host_config, networking_config } = self;
        Flat { config, host_config, networking_config }.serialize(to)
    }
}

/// Networks of a new container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkingConfig {
    /// By name or id.
    pub endpoints_config: BTreeMap<String, EndpointSettings>,
}

/// The answer to the creation of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerCreated {
    /// Its id.
    pub id: String,
    /// What the user should know.
    pub warnings: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_create_request_reads_back_as_it_was_written() {
        let text = br#"{"Image":"a","Cmd":["x"],"Entrypoint":"sh","HostConfig":{"Memory":5},
            "NetworkingConfig":{"EndpointsConfig":{"net":null}}}"#;
        let create = ContainerCreate::read(text).unwrap();
        assert_eq!(create.config.cmd, Some(vec!["x".to_owned()]));
        assert_eq!(create.config.entrypoint, Some(vec!["sh".to_owned()]));
        assert_eq!(create.host_config.memory, 5);
        assert_eq!(create.networking_config.endpoints_config["net"], EndpointSettings::default());
        let again = ContainerCreate::read(serde_json::to_string(&create).unwrap().as_bytes()).unwrap();
        assert_eq!(again, create);
    }
}
