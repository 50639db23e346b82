//! The engine: what minijinja runs, and values on their way in and out of it.

use std::{borrow::Cow, error::Error as _, fmt, sync::Arc, sync::LazyLock};

use minijinja::{
    Environment, Error, ErrorKind, Expression, UndefinedBehavior,
    value::{Enumerator, Object, ObjectRepr, Rest, Value as Engine, ValueKind},
};

use super::{
    Fault, OUTPUT_BYTES_MAX, STEPS_MAX, Scope,
    filter::{self, Call, Filter, Null, Refusal, Test},
    lower::{INPUT_PREFIX, Input},
    operator,
};
use crate::core::{
    path::Path,
    value::{Map, Value},
};

/// Levels of lists and maps that a result may have.
const DEPTH_MAX: usize = 64;
/// What a list, a map or a scalar counts for in the size of a result, beside its text.
const NODE_BYTES: usize = 8;

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Chainable);
    engine.set_debug(false);
    engine.set_fuel(Some(STEPS_MAX));
    for filter in filter::ALL.iter().chain(operator::ALL) {
        engine.add_filter(filter.name, move |input: &Engine, args: Rest<Engine>| {
            apply(filter, input, &args)
        });
    }
    for test in filter::TESTS {
        engine.add_test(test.name, move |input: &Engine, args: Rest<Engine>| {
            ask(test, input, &args)
        });
    }
    engine
});

/// A compiled expression.
pub(super) struct Program(Expression<'static, 'static>);

/// Compiles a lowered expression; `None` where it nests too deep for the engine.
pub(super) fn compile(program: String) -> Option<Program> {
    ENGINE.compile_expression_owned(program).ok().map(Program)
}

impl Program {
    pub(super) fn eval(&self, scope: &Scope, inputs: &Arc<[Input]>) -> Result<Option<Value>, Fault> {
        let context = Engine::from_object(Context {
            scope: scope.clone(),
            inputs: Arc::clone(inputs),
        });
        let result = self.0.eval(context).map_err(|error| fault(&error))?;
        read(&result).map(|value| value.map(Cow::into_owned))
    }
}

fn fault(error: &Error) -> Fault {
    let own = error.source().and_then(|source| source.downcast_ref::<Fault>());
    match (own, error.kind()) {
        (Some(fault), _) => fault.clone(),
        (None, ErrorKind::OutOfFuel) => Fault::Steps,
        // The detail may show values; the kind does not.
        (None, kind) => Fault::Engine {
            reason: kind.to_string(),
        },
    }
}

/// The root of an evaluation: gives the engine the inputs by their numbers.
struct Context {
    scope: Scope,
    inputs: Arc<[Input]>,
}

/// A list or map, seen where it lies.
struct View {
    root: Arc<Value>,
    path: Option<Arc<Path>>,
}

/// A scalar that the engine has no type for: decimals, long numbers, dates, datetimes.
struct Exact(Value);

/// A path that leads nowhere; false as a condition.
struct Absent(String);

macro_rules! silent_debug {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )*};
}
silent_debug!(Context View Exact Absent);

impl Object for Context {
    fn get_value(self: &Arc<Self>, key: &Engine) -> Option<Engine> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Engine> {
        let number: usize = key.strip_prefix(INPUT_PREFIX)?.parse().ok()?;
        Some(match self.inputs.get(number)? {
            Input::Literal(value) => give(value.clone()),
            Input::Path { root, path } => self.view(root, path),
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

impl Context {
    fn view(&self, name: &str, path: &Arc<Path>) -> Engine {
        let found = self.scope.shared(name).and_then(|root| Some((root, path.get(root)?)));
        match found {
            Some((root, value)) if value.is_structure() => Engine::from_object(View {
                root: Arc::clone(root),
                path: Some(Arc::clone(path)),
            }),
            Some((_, Value::Text(text))) => Engine::from(text.as_str()),
            Some((_, scalar)) => give(scalar.clone()),
            None if path.is_whole() => Engine::from_object(Absent(name.to_owned())),
            None => Engine::from_object(Absent(full_path(name, path))),
        }
    }
}

fn full_path(name: &str, path: &Path) -> String {
    let below = path.to_string();
    let dot = if below.starts_with('[') { "" } else { "." };
    format!("{name}{dot}{below}")
}

impl View {
    fn value(&self) -> Option<&Value> {
        match &self.path {
            Some(path) => path.get(&self.root),
            None => Some(&self.root),
        }
    }
}

impl Object for View {
    fn is_true(self: &Arc<Self>) -> bool {
        self.value().is_some_and(|value| !value.is_empty())
    }
}

impl Object for Exact {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !matches!(&self.0, Value::Decimal(decimal) if decimal.is_zero())
    }
}

impl Object for Absent {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        false
    }
}

/// Hands a value to the engine.
fn give(value: Value) -> Engine {
    match value {
        Value::Null => Engine::from(()),
        Value::Bool(truth) => Engine::from(truth),
        Value::Int(int) => Engine::from(int),
        Value::Text(text) => Engine::from(text),
        Value::List(_) | Value::Map(_) => Engine::from_object(View {
            root: Arc::new(value),
            path: None,
        }),
        scalar => Engine::from_object(Exact(scalar)),
    }
}

/// Takes a value from the engine; `None` where there is none.
fn read(value: &Engine) -> Result<Option<Cow<'_, Value>>, Fault> {
    if let Some(view) = value.downcast_object_ref::<View>() {
        return Ok(view.value().map(Cow::Borrowed));
    }
    if let Some(exact) = value.downcast_object_ref::<Exact>() {
        return Ok(Some(Cow::Borrowed(&exact.0)));
    }
    let mut budget = OUTPUT_BYTES_MAX;
    build(value, 0, &mut budget).map(|value| value.map(Cow::Owned))
}

/// Builds what the engine made itself: scalars, and lists and maps as the author wrote them.
fn build(value: &Engine, depth: usize, budget: &mut usize) -> Result<Option<Value>, Fault> {
    if depth > DEPTH_MAX {
        return Err(Fault::Size);
    }
    let held = value
        .downcast_object_ref::<View>()
        .map(View::value)
        .or_else(|| value.downcast_object_ref::<Exact>().map(|exact| Some(&exact.0)));
    if let Some(held) = held {
        if let Some(value) = held {
            weigh(value, budget)?;
        }
        return Ok(held.cloned());
    }
    charge(budget, NODE_BYTES + value.as_str().map_or(0, str::len))?;
    Ok(match value.kind() {
        ValueKind::None => Some(Value::Null),
        ValueKind::Bool => Some(Value::Bool(value.is_true())),
        ValueKind::Number => Value::number(&value.to_string()),
        ValueKind::String => value.as_str().map(Value::from),
        ValueKind::Seq => {
            let mut list = Vec::new();
            for item in value.try_iter().map_err(|error| fault(&error))? {
                list.extend(build(&item, depth + 1, budget)?);
            }
            Some(Value::List(list))
        }
        ValueKind::Map => {
            let mut map = Map::new();
            for key in value.try_iter().map_err(|error| fault(&error))? {
                let member = value.get_item(&key).map_err(|error| fault(&error))?;
                if let (Some(key), Some(member)) = (key.as_str(), build(&member, depth + 1, budget)?) {
                    map.insert(key.to_owned(), member);
                }
            }
            Some(Value::Map(map))
        }
        _ => None,
    })
}

fn charge(budget: &mut usize, bytes: usize) -> Result<(), Fault> {
    *budget = budget.checked_sub(bytes).ok_or(Fault::Size)?;
    Ok(())
}

/// Charges for a value that is about to be copied.
pub(super) fn weigh(value: &Value, budget: &mut usize) -> Result<(), Fault> {
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        charge(budget, NODE_BYTES)?;
        match value {
            Value::Text(text) => charge(budget, text.len())?,
            Value::Number(text) => charge(budget, text.len())?,
            Value::List(list) => open.extend(list),
            Value::Map(map) => {
                for (key, member) in map {
                    charge(budget, key.len())?;
                    open.push(member);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn apply(filter: &'static Filter, input: &Engine, args: &[Engine]) -> Result<Engine, Error> {
    let call = call(input, args).map_err(carry)?;
    if filter.null == Null::Stays && matches!(call.input.as_deref(), Some(Value::Null)) {
        return Ok(Engine::from(()));
    }
    match (filter.run)(&call) {
        Ok(Some(Value::Text(text))) if text.len() > OUTPUT_BYTES_MAX => Err(carry(Fault::Size)),
        Ok(Some(value)) => Ok(give(value)),
        Ok(None) => Ok(Engine::UNDEFINED),
        Err(refusal) => Err(carry(refused(filter.shown(), refusal, input, args))),
    }
}

fn ask(test: &'static Test, input: &Engine, args: &[Engine]) -> Result<bool, Error> {
    let call = call(input, args).map_err(carry)?;
    (test.holds)(&call).map_err(|refusal| carry(refused(test.name, refusal, input, args)))
}

fn call<'a>(input: &'a Engine, args: &'a [Engine]) -> Result<Call<'a>, Fault> {
    Ok(Call {
        input: read(input)?,
        args: args.iter().map(read).collect::<Result<_, _>>()?,
    })
}

fn refused(operation: &'static str, refusal: Refusal, input: &Engine, args: &[Engine]) -> Fault {
    let absent = |value: Option<&Engine>| {
        let named = value.and_then(|value| value.downcast_object_ref::<Absent>());
        Fault::Absent {
            what: named.map_or_else(|| operation.to_owned(), |absent| absent.0.clone()),
        }
    };
    match refusal {
        Refusal::AbsentInput => absent(Some(input)),
        Refusal::AbsentArgument(at) => absent(args.get(at)),
        Refusal::Size => Fault::Size,
        Refusal::Value(message) => Fault::Operation { operation, message },
    }
}

fn carry(fault: Fault) -> Error {
    Error::new(ErrorKind::InvalidOperation, "").with_source(fault)
}
