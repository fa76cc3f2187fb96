//! What an editor asks and tells, method by method.

use gen_lsp_types as lsp;
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use serde_json::json;

use crate::Settings;
use crate::complete::complete;
use crate::define::define;
use crate::diagnose::Faults;
use crate::diagnose::diagnose;
use crate::fix::actions;
use crate::fix::upgrade;
use crate::hover::hover;
use crate::symbols::symbols;
use crate::uri::path_of;
use crate::uri::uri_of;
use crate::workspace::Workspace;

/// The result of a request.
pub(crate) type Answer = Result<Json, Fault>;

/// Why a request has no result.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) code: i32,
    pub(crate) message: String,
}

/// One editor.
pub(crate) struct Session<'s> {
    settings: &'s Settings,
    workspace: Workspace,
    stage: Stage,
    /// The process of the editor.
    editor: Option<i32>,
    kube_context: Option<String>,
    /// Whether something changed that was not diagnosed yet.
    is_stale: bool,
    /// What the editor was told.
    published: Faults,
    watches_files: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Before,
    Running,
    ShutDown,
}

/// What counts of `initialize`: the rest of it may be anything.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Introduction {
    process_id: Option<i32>,
    root_uri: Option<String>,
    workspace_folders: Option<Vec<Folder>>,
    capabilities: Json,
}

#[derive(Debug, Deserialize)]
struct Folder {
    uri: String,
}

impl Fault {
    pub(crate) fn parse(why: String) -> Self {
        Self { code: -32700, message: format!("this is not JSON: {why}") }
    }

    pub(crate) fn invalid(message: &str) -> Self {
        Self { code: -32600, message: message.to_owned() }
    }

    pub(crate) fn cancelled() -> Self {
        Self { code: -32800, message: "the request was taken back".to_owned() }
    }

    pub(crate) fn bug(method: &str) -> Self {
        Self { code: -32603, message: format!("devloop made a mistake in `{method}`; what it was is on standard error") }
    }
}

impl<'s> Session<'s> {
    pub(crate) fn new(settings: &'s Settings) -> Self {
        Self {
            settings,
            workspace: Workspace::default(),
            stage: Stage::Before,
            editor: None,
            kube_context: None,
            is_stale: false,
            published: Faults::new(),
            watches_files: false,
        }
    }

    /// Returns the process of the editor, where it said so.
    pub(crate) fn editor(&self) -> Option<i32> {
        self.editor
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.stage == Stage::ShutDown
    }

    /// Returns the answer to a request.
    ///
    /// # Errors
    /// When it cannot be answered, for the editor.
    pub(crate) fn request(&mut self, method: &str, params: Json) -> Answer {
        match (self.stage, method) {
            (Stage::Before, "initialize") => return Ok(self.initialize(&params)),
            (Stage::Before, _) => return Err(Fault { code: -32002, message: "`initialize` comes first".to_owned() }),
            (Stage::ShutDown, _) => return Err(Fault::invalid("the server was shut down")),
            (Stage::Running, _) => {}
        }
        match method {
            "initialize" => Err(Fault::invalid("`initialize` came before")),
            "shutdown" => {
                self.stage = Stage::ShutDown;
                Ok(Json::Null)
            }
            "textDocument/completion" => self.completion(parsed(params)?),
            "textDocument/hover" => self.hover(parsed(params)?),
            "textDocument/definition" => self.definition(parsed(params)?),
            "textDocument/documentSymbol" => {
                let params: lsp::DocumentSymbolParams = parsed(params)?;
                let document = self.workspace.document(&params.text_document.uri).filter(|document| document.is_configuration());
                value(&document.map(|document| symbols(&document)).unwrap_or_default())
            }
            "textDocument/codeAction" => self.code_action(parsed(params)?),
            _ => Err(Fault { code: -32601, message: format!("there is no method `{method}`") }),
        }
    }

    /// Takes a notification, and returns messages that are due because of it; one that cannot be understood changes nothing.
    pub(crate) fn notification(&mut self, method: &str, params: Json) -> Vec<Json> {
        if self.stage != Stage::Running {
            return Vec::new();
        }
        match method {
            "initialized" if self.watches_files => return vec![register_watchers()],
            "textDocument/didOpen" => {
                if let Ok(lsp::DidOpenTextDocumentParams { text_document: opened }) = serde_json::from_value(params) {
                    self.workspace.open(opened.uri, opened.version, opened.text);
                    self.look_again();
                }
            }
            "textDocument/didChange" => {
                if let Ok(changed) = serde_json::from_value::<lsp::DidChangeTextDocumentParams>(params) {
                    let identifier = changed.text_document;
                    self.workspace.change(&identifier.text_document_identifier.uri, identifier.version, changed.content_changes);
                    self.is_stale = true;
                }
            }
            "textDocument/didClose" => {
                if let Ok(lsp::DidCloseTextDocumentParams { text_document: closed }) = serde_json::from_value(params) {
                    self.workspace.close(&closed.uri);
                    self.look_again();
                }
            }
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => self.look_again(),
            "workspace/didChangeWorkspaceFolders" => {
                if let Ok(lsp::DidChangeWorkspaceFoldersParams { event }) = serde_json::from_value(params) {
                    self.workspace
                        .folders
                        .retain(|folder| !event.removed.iter().any(|removed| path_of(&removed.uri).as_ref() == Some(folder)));
                    self.workspace.folders.extend(event.added.iter().filter_map(|added| path_of(&added.uri)));
                    self.look_again();
                }
            }
            _ => {}
        }
        Vec::new()
    }

    /// Returns what the editor has to be told of what changed since the last time.
    pub(crate) fn publish(&mut self) -> Vec<Json> {
        if self.stage != Stage::Running || !std::mem::take(&mut self.is_stale) {
            return Vec::new();
        }
        let faults = diagnose(&self.workspace, self.settings, self.kube_context.as_deref());
        let gone = self.published.keys().filter(|path| !faults.contains_key(*path)).map(|path| (path.clone(), Vec::new()));
        let changed =
            faults.iter().filter(|(path, list)| self.published.get(*path) != Some(list)).map(|(path, list)| (path.clone(), list.clone()));
        let due: Vec<_> = gone.chain(changed).collect();
        self.published = faults;
        let message = |(path, diagnostics): (std::path::PathBuf, Vec<lsp::Diagnostic>)| {
            let open = self.workspace.all_open().find(|document| document.path == path);
            let (uri, version) = open.map_or_else(|| (uri_of(&path), None), |document| (document.uri.clone(), document.version));
            let params = lsp::PublishDiagnosticsParams { uri, version, diagnostics };
            json!({"jsonrpc": "2.0", "method": "textDocument/publishDiagnostics", "params": params})
        };
        due.into_iter().map(message).collect()
    }

    fn look_again(&mut self) {
        self.kube_context = (self.settings.kube_context)();
        self.is_stale = true;
    }

    fn initialize(&mut self, params: &Json) -> Json {
        let introduction = Introduction::deserialize(params).unwrap_or_default();
        self.editor = introduction.process_id;
        let folders = introduction.workspace_folders.into_iter().flatten().map(|folder| folder.uri);
        let root = introduction.root_uri;
        self.workspace.folders = folders.chain(root).filter_map(|uri| path_of(&lsp::Uri(uri))).collect();
        self.watches_files = introduction.capabilities["workspace"]["didChangeWatchedFiles"]["dynamicRegistration"] == true;
        self.kube_context = (self.settings.kube_context)();
        self.stage = Stage::Running;
        json!({
            "capabilities": {
                "positionEncoding": "utf-16",
                "textDocumentSync": {"openClose": true, "change": lsp::TextDocumentSyncKind::Incremental, "save": {"includeText": false}},
                "completionProvider": {"triggerCharacters": [" ", ":", "-", "/", "[", "{", ","]},
                "hoverProvider": true,
                "definitionProvider": true,
                "documentSymbolProvider": true,
                "codeActionProvider": {"codeActionKinds": [lsp::CodeActionKind::QuickFix, lsp::CodeActionKind::RefactorRewrite]},
                "workspace": {"workspaceFolders": {"supported": true, "changeNotifications": true}},
            },
            "serverInfo": {"name": "devloop", "version": self.settings.version},
        })
    }

    fn completion(&self, params: lsp::CompletionParams) -> Answer {
        let lsp::TextDocumentPositionParams { text_document, position } = params.text_document_position_params;
        let Some(document) = self.workspace.document(&text_document.uri).filter(|document| document.is_configuration()) else {
            return Ok(json!([]));
        };
        value(&complete(&self.workspace, &document, document.text().offset(position)))
    }

    fn hover(&self, params: lsp::HoverParams) -> Answer {
        let lsp::TextDocumentPositionParams { text_document, position } = params.text_document_position_params;
        let document = self.workspace.document(&text_document.uri).filter(|document| document.is_configuration());
        value(&document.and_then(|document| hover(&document, document.text().offset(position))))
    }

    fn definition(&self, params: lsp::DefinitionParams) -> Answer {
        let lsp::TextDocumentPositionParams { text_document, position } = params.text_document_position_params;
        let document = self.workspace.document(&text_document.uri).filter(|document| document.is_configuration());
        let found = document.map(|document| define(&self.workspace, &document, document.text().offset(position)));
        value(&found.unwrap_or_default())
    }

    fn code_action(&self, params: lsp::CodeActionParams) -> Answer {
        let Some(document) = self.workspace.document(&params.text_document.uri) else { return Ok(json!([])) };
        let told = self.published.get(&document.path).map(Vec::as_slice).unwrap_or_default();
        let mut actions = actions(&document, told, params.range);
        if document.is_configuration() {
            actions.extend(upgrade(&document, params.range));
        }
        value(&actions)
    }
}

/// Returns the request that lets the editor say when a configuration changes on disk.
fn register_watchers() -> Json {
    let watchers: Vec<Json> = ["**/*.{yaml,yml}", "**/skaffold.env"].iter().map(|glob| json!({ "globPattern": glob })).collect();
    let registration = json!({"id": "files", "method": "workspace/didChangeWatchedFiles", "registerOptions": {"watchers": watchers}});
    json!({"jsonrpc": "2.0", "id": "devloop/files", "method": "client/registerCapability", "params": {"registrations": [registration]}})
}

fn parsed<T: DeserializeOwned>(params: Json) -> Result<T, Fault> {
    serde_json::from_value(params).map_err(|error| Fault { code: -32602, message: format!("the parameters are wrong: {error}") })
}

fn value(result: &impl Serialize) -> Answer {
    serde_json::to_value(result).map_err(|error| Fault { code: -32603, message: error.to_string() })
}
