//! What Go checks and prints of a template where gotmpl does otherwise: unclosed blocks, unknown functions, numbers.

use gotmpl::TemplateError;
use gotmpl::Value;
use gotmpl::parse::ActionNode;
use gotmpl::parse::BranchNode;
use gotmpl::parse::CommandNode;
use gotmpl::parse::DefineNode;
use gotmpl::parse::Expr;
use gotmpl::parse::ListNode;
use gotmpl::parse::Node;
use gotmpl::parse::Parser;
use gotmpl::parse::PipeNode;

use super::sprig;

/// The function that prints an action's value; no template can name it.
const SHOW: &str = "\u{1}show";

const BUILTINS: [&str; 19] = [
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print", "printf", "println", "slice",
    "urlquery",
];

/// Returns the compiled template, which runs under `name`; `is_known` says which functions it may call besides Go's own.
pub(super) fn compile(
    mut template: gotmpl::Template,
    name: &str,
    text: &str,
    is_known: &dyn Fn(&str) -> bool,
) -> Result<gotmpl::Template, TemplateError> {
    check_blocks(text)?;
    let (mut tree, mut defines) = Parser::new(text, "{{", "}}")?.parse()?;
    let walk = Walk { is_known };
    walk.list(&mut tree)?;
    for DefineNode { body, .. } in &mut defines {
        walk.list(body)?;
    }
    template = template.func(SHOW, |values| Ok(values.first().map_or(Value::Nil, sprig::shown)));
    for define in defines {
        template = template.add_parse_tree(&define.name, define.body);
    }
    Ok(template.add_parse_tree(name, tree))
}

/// Finds an `end` or `else` too many and a block that is never closed: gotmpl stops reading at the one and passes over the other.
fn check_blocks(text: &str) -> Result<(), TemplateError> {
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find("{{") {
        let start = at + start;
        let action = &text[start + 2..];
        let fault = |message: &str| fault(text, start, message);
        match keyword(action) {
            "if" | "range" | "with" | "define" | "block" => open.push(start),
            "else" if open.is_empty() => return Err(fault("unexpected {{else}}")),
            "end" => drop(open.pop().ok_or_else(|| fault("unexpected {{end}}"))?),
            _ => {}
        }
        at = start + 2 + action_length(action);
    }
    open.pop().map_or(Ok(()), |start| Err(fault(text, start, "this block has no {{end}}")))
}

fn fault(text: &str, at: usize, message: &str) -> TemplateError {
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[..at].matches('\n').count() + 1;
    TemplateError::Parse { name: None, line, col: text[line_start..at].chars().count() + 1, message: message.to_owned() }
}

fn keyword(action: &str) -> &str {
    let action = action.strip_prefix('-').unwrap_or(action).trim_start();
    action.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// Returns how far an action reaches, its `}}` included; quoted ones and those in comments do not close it.
fn action_length(action: &str) -> usize {
    let start = action.strip_prefix('-').unwrap_or(action).trim_start();
    if start.starts_with("/*") {
        return action.find("*/").map_or(action.len(), |end| end + action[end..].find("}}").map_or(0, |close| close + 2));
    }
    let bytes = action.as_bytes();
    let mut quote = None;
    let mut at = 0;
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(b'"' | b'\''), b'\\') => at += 1,
            (Some(open), byte) if open == byte => quote = None,
            (None, byte @ (b'"' | b'\'' | b'`')) => quote = Some(byte),
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return at + 2,
            _ => {}
        }
        at += 1;
    }
    action.len()
}

struct Walk<'a> {
    is_known: &'a dyn Fn(&str) -> bool,
}

type Checked = Result<(), TemplateError>;

impl Walk<'_> {
    fn list(&self, list: &mut ListNode) -> Checked {
        list.nodes.iter_mut().try_for_each(|node| self.node(node))
    }

    fn node(&self, node: &mut Node) -> Checked {
        match node {
            Node::List(list) => self.list(list),
            Node::Action(action) => self.action(action),
            Node::If(branch) | Node::Range(branch) | Node::With(branch) => self.branch(branch),
            Node::Template(call) => call.pipe.as_mut().map_or(Ok(()), |pipe| self.pipe(pipe)),
            Node::Define(define) => self.list(&mut define.body),
            Node::Text(_) | Node::Break(_) | Node::Continue(_) => Ok(()),
        }
    }

    fn branch(&self, branch: &mut BranchNode) -> Checked {
        self.pipe(&mut branch.pipe)?;
        self.list(&mut branch.body)?;
        branch.else_body.as_mut().map_or(Ok(()), |body| self.list(body))
    }

    fn action(&self, action: &mut ActionNode) -> Checked {
        self.pipe(&mut action.pipe)?;
        if action.pipe.decl.is_empty() {
            action.pipe.commands.push(CommandNode { pos: action.pos, args: vec![Expr::Identifier(action.pos, SHOW.into())] });
        } else {
            assign_what_changes(&mut action.pipe);
        }
        Ok(())
    }

    fn pipe(&self, pipe: &mut PipeNode) -> Checked {
        pipe.commands.iter_mut().flat_map(|command| &mut command.args).try_for_each(|argument| self.expression(argument))
    }

    fn expression(&self, expression: &mut Expr) -> Checked {
        match expression {
            Expr::Identifier(_, name) if !BUILTINS.contains(&name.as_str()) && !(self.is_known)(name) => {
                Err(TemplateError::UndefinedFunction(name.to_string()))
            }
            Expr::Pipe(_, pipe) => self.pipe(pipe),
            Expr::Chain(_, inner, _) => self.expression(inner),
            _ => Ok(()),
        }
    }
}

/// Turns `$_ := set $d …` into `$d = set $d …`: in Go these functions change the mapping itself, here they return a new one.
fn assign_what_changes(pipe: &mut PipeNode) {
    let [command] = pipe.commands.as_slice() else { return };
    let [Expr::Identifier(_, function), Expr::Variable(_, changed, fields), ..] = command.args.as_slice() else { return };
    if sprig::changes_its_argument(function) && fields.is_empty() {
        pipe.decl = vec![changed.clone()];
        pipe.is_assign = true;
    }
}
