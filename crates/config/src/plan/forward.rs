//! Ports that the user wants on this machine.

use devloop_model::ForwardPort;
use devloop_model::PortForward;

use super::convert::Converter;
use super::convert::set;
use crate::schema::PortForwardResource;

impl Converter<'_> {
    /// Returns the forwards of the module; a port that is none is a fault.
    pub(super) fn port_forward(&mut self) -> Vec<PortForward> {
        let module = self.module;
        let entries = module.config.port_forward.iter().enumerate();
        entries.filter_map(|(index, entry)| self.forward(&format!("/portForward/{index}"), entry)).collect()
    }

    fn forward(&mut self, pointer: &str, entry: &PortForwardResource) -> Option<PortForward> {
        let name = self.template(&format!("{pointer}/resourceName"), &entry.resource_name);
        let namespace = set(&entry.namespace).map(|text| self.template(&format!("{pointer}/namespace"), &text));
        let port = self.port(pointer, entry)?;
        let local_port = self.local_port(pointer, entry)?;
        Some(PortForward {
            kind: entry.resource_type.to_lowercase(),
            name,
            namespace,
            local_port: match (local_port, &port) {
                (0, ForwardPort::Number(number)) => Some(*number),
                (0, ForwardPort::Name(_)) => None,
                (number, _) => Some(number),
            },
            port,
            address: entry.address.clone(),
            context: set(&self.module.config.deploy.kube_context),
            at: self.module.location(pointer),
        })
    }

    /// Returns the port by number, or by name where it has a letter.
    fn port(&mut self, pointer: &str, entry: &PortForwardResource) -> Option<ForwardPort> {
        let text = entry.port.trim();
        let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if is_word && text.bytes().any(|byte| byte.is_ascii_alphabetic()) {
            return Some(ForwardPort::Name(text.to_owned()));
        }
        let number = text.parse().ok().filter(|number| *number > 0);
        if number.is_none() {
            self.no_port(pointer, "port", text);
        }
        number.map(ForwardPort::Number)
    }

    fn local_port(&mut self, pointer: &str, entry: &PortForwardResource) -> Option<u16> {
        let number = u16::try_from(entry.local_port).ok();
        if number.is_none() {
            self.no_port(pointer, "localPort", &entry.local_port.to_string());
        }
        number
    }

    fn no_port(&mut self, pointer: &str, field: &str, value: &str) {
        let pointer = format!("{pointer}/{field}");
        let what = if value.is_empty() {
            format!("{} is missing", self.module.subject(&pointer))
        } else {
            format!("{} is no port: `{value}`", self.module.subject(&pointer))
        };
        let names = if field == "port" { ", or the name of a port" } else { "" };
        self.faults.push(self.module.error("config/port", &pointer, what).help(format!("write a number from 1 to 65535{names}")));
    }
}
