import {
  type ArgumentNode,
  type ASTNode,
  type ConstValueNode,
  type DefinitionNode,
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type GraphQLSchema,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  Kind,
  type NamedTypeNode,
  type NameNode,
  OperationTypeNode,
  type SelectionNode,
  type SelectionSetNode,
  type TypeNode,
  type ValueNode,
  type VariableDefinitionNode,
} from "graphql";
import { BuiltinError } from "./builtin.js";
import { type Ast, flagIn, nodeIn, nodesIn, textIn, textsIn } from "./graphql-ast.js";
import type { CheckedSchema } from "./graphql-check.js";
import { kinds } from "./graphql-parser.js";
import { LimitError } from "./limit.js";

/** Selections of a query: their comparison with each other grows with the square of their number. */
const maxSelections = 300;

/** A query document as the library `graphql` has it. */
export function queryNodes(document: Ast): DocumentNode {
  let selections = 0;
  const count = (of: Ast): void => {
    for (const selection of nodesIn(of, "SelectionSet")) {
      if (++selections > maxSelections) throw new LimitError("graphql query is too large");
      count(selection);
    }
  };
  const operations = nodesIn(document, "Operations");
  const fragments = nodesIn(document, "Fragments");
  for (const definition of [...operations, ...fragments]) count(definition);
  const definitions: DefinitionNode[] = [
    ...operations.map((operation) => ({
      kind: Kind.OPERATION_DEFINITION as const,
      operation: operationOf(textIn(operation, "Operation")),
      ...(textIn(operation, "Name") === "" ? {} : { name: nameNode(textIn(operation, "Name")) }),
      variableDefinitions: nodesIn(operation, "VariableDefinitions").map(variableNode),
      directives: directiveNodes(operation),
      selectionSet: selectionSet(operation),
    })),
    ...fragments.map((fragment) => ({
      kind: Kind.FRAGMENT_DEFINITION as const,
      name: nameNode(textIn(fragment, "Name")),
      variableDefinitions: nodesIn(fragment, "VariableDefinition").map(variableNode),
      typeCondition: namedType(textIn(fragment, "TypeCondition")),
      directives: directiveNodes(fragment),
      selectionSet: selectionSet(fragment),
    })),
  ];
  return { kind: Kind.DOCUMENT, definitions };
}

function operationOf(text: string): OperationTypeNode {
  if (text === "mutation") return OperationTypeNode.MUTATION;
  return text === "subscription" ? OperationTypeNode.SUBSCRIPTION : OperationTypeNode.QUERY;
}

function nameNode(value: string): NameNode {
  return { kind: Kind.NAME, value };
}

function namedType(name: string): NamedTypeNode {
  return { kind: Kind.NAMED_TYPE, name: nameNode(name) };
}

function typeNode(type: Ast | undefined): TypeNode {
  if (type === undefined) throw new BuiltinError("graphql type is missing");
  const elem = nodeIn(type, "Elem");
  const inner =
    elem === undefined
      ? namedType(textIn(type, "NamedType"))
      : { kind: Kind.LIST_TYPE as const, type: typeNode(elem) };
  return flagIn(type, "NonNull") ? { kind: Kind.NON_NULL_TYPE, type: inner } : inner;
}

function valueNode(value: Ast | undefined): ValueNode {
  if (value === undefined) throw new BuiltinError("graphql value is missing");
  const raw = textIn(value, "Raw");
  const children = nodesIn(value, "Children");
  switch (value.fields.get("Kind")) {
    case kinds.variable:
      return { kind: Kind.VARIABLE, name: nameNode(raw) };
    case kinds.int:
      return { kind: Kind.INT, value: raw };
    case kinds.float:
      return { kind: Kind.FLOAT, value: raw };
    case kinds.string:
      return { kind: Kind.STRING, value: raw };
    case kinds.block:
      return { kind: Kind.STRING, value: raw, block: true };
    case kinds.boolean:
      return { kind: Kind.BOOLEAN, value: raw === "true" };
    case kinds.null:
      return { kind: Kind.NULL };
    case kinds.enum:
      return { kind: Kind.ENUM, value: raw };
    case kinds.list:
      return { kind: Kind.LIST, values: children.map((child) => valueNode(nodeIn(child, "Value"))) };
    case kinds.object: {
      const fields = children.map((child) => ({
        kind: Kind.OBJECT_FIELD as const,
        name: nameNode(textIn(child, "Name")),
        value: valueNode(nodeIn(child, "Value")),
      }));
      return { kind: Kind.OBJECT, fields };
    }
    default:
      throw new BuiltinError("graphql value is of an unknown kind");
  }
}

function variableNode(variable: Ast): VariableDefinitionNode {
  const value = nodeIn(variable, "DefaultValue");
  return {
    kind: Kind.VARIABLE_DEFINITION,
    variable: { kind: Kind.VARIABLE, name: nameNode(textIn(variable, "Variable")) },
    type: typeNode(nodeIn(variable, "Type")),
    ...(value === undefined ? {} : { defaultValue: valueNode(value) as ConstValueNode }),
    directives: directiveNodes(variable),
  } as VariableDefinitionNode;
}

function argumentNodes(of: Ast): readonly ArgumentNode[] {
  return nodesIn(of, "Arguments").map((argument) => ({
    kind: Kind.ARGUMENT,
    name: nameNode(textIn(argument, "Name")),
    value: valueNode(nodeIn(argument, "Value")),
  }));
}

function directiveNodes(of: Ast): readonly DirectiveNode[] {
  return nodesIn(of, "Directives").map((directive) => ({
    kind: Kind.DIRECTIVE,
    name: nameNode(textIn(directive, "Name")),
    arguments: argumentNodes(directive),
  }));
}

function selectionSet(of: Ast): SelectionSetNode {
  return { kind: Kind.SELECTION_SET, selections: nodesIn(of, "SelectionSet").map(selectionNode) };
}

function selectionNode(selection: Ast): SelectionNode {
  const directives = directiveNodes(selection);
  if (selection.shape === "Spread") {
    return { kind: Kind.FRAGMENT_SPREAD, name: nameNode(textIn(selection, "Name")), directives };
  }
  if (selection.shape === "Inline") {
    const condition = textIn(selection, "TypeCondition");
    return {
      kind: Kind.INLINE_FRAGMENT,
      ...(condition === "" ? {} : { typeCondition: namedType(condition) }),
      directives,
      selectionSet: selectionSet(selection),
    };
  }
  const [alias, name] = [textIn(selection, "Alias"), textIn(selection, "Name")];
  return {
    kind: Kind.FIELD,
    ...(alias === name ? {} : { alias: nameNode(alias) }),
    name: nameNode(name),
    arguments: argumentNodes(selection),
    directives,
    ...(nodesIn(selection, "SelectionSet").length === 0 ? {} : { selectionSet: selectionSet(selection) }),
  } satisfies FieldNode;
}

/** A schema as the library `graphql` has it; without what every schema of it has anyway. */
export function schemaNodes({ types, directives, roots }: CheckedSchema): DocumentNode {
  const own = [...types.values()].filter((type) => {
    const name = textIn(type, "Name");
    return !name.startsWith("__") && !/^(?:Int|Float|String|Boolean|ID)$/.test(name);
  });
  const definitions = [
    ...own.map(definitionNode),
    ...[...directives.values()].map(directiveDefinition),
    ...(roots.size === 0
      ? []
      : [
          {
            kind: Kind.SCHEMA_DEFINITION,
            operationTypes: [...roots].map(([operation, type]) => ({
              kind: Kind.OPERATION_TYPE_DEFINITION,
              operation: operationOf(operation),
              type: namedType(type),
            })),
          },
        ]),
  ];
  return { kind: Kind.DOCUMENT, definitions: definitions as DefinitionNode[] };
}

type AnyNode = Readonly<Record<string, unknown>> & Pick<ASTNode, "kind">;

const definitionKinds: Readonly<Record<string, Kind>> = {
  SCALAR: Kind.SCALAR_TYPE_DEFINITION,
  OBJECT: Kind.OBJECT_TYPE_DEFINITION,
  INTERFACE: Kind.INTERFACE_TYPE_DEFINITION,
  UNION: Kind.UNION_TYPE_DEFINITION,
  ENUM: Kind.ENUM_TYPE_DEFINITION,
  INPUT_OBJECT: Kind.INPUT_OBJECT_TYPE_DEFINITION,
};

function definitionNode(definition: Ast): AnyNode {
  const kind = definitionKinds[textIn(definition, "Kind")];
  if (kind === undefined) throw new BuiltinError("graphql definition is of an unknown kind");
  const fields = nodesIn(definition, "Fields");
  return {
    kind,
    name: nameNode(textIn(definition, "Name")),
    directives: directiveNodes(definition),
    interfaces: textsIn(definition, "Interfaces").map(namedType),
    types: textsIn(definition, "Types").map(namedType),
    values: nodesIn(definition, "EnumValues").map((value) => ({
      kind: Kind.ENUM_VALUE_DEFINITION,
      name: nameNode(textIn(value, "Name")),
      directives: [],
    })),
    fields: kind === Kind.INPUT_OBJECT_TYPE_DEFINITION ? fields.map(inputNode) : fields.map(fieldDefinition),
  } as AnyNode;
}

function fieldDefinition(field: Ast): AnyNode {
  return {
    kind: Kind.FIELD_DEFINITION,
    name: nameNode(textIn(field, "Name")),
    arguments: nodesIn(field, "Arguments").map(inputNode),
    type: typeNode(nodeIn(field, "Type")),
    directives: [],
  };
}

/** Without its default, which {@link setDefaults} sees to. */
function inputNode(input: Ast): AnyNode {
  return {
    kind: Kind.INPUT_VALUE_DEFINITION,
    name: nameNode(textIn(input, "Name")),
    type: typeNode(nodeIn(input, "Type")),
    directives: [],
  };
}

/** What has a default in the library: only that it has one matters, and gqlparser does not look at what it is. */
interface Defaulted {
  readonly name: string;
  defaultValue?: unknown;
}

/** Gives a schema that was made of {@link schemaNodes} the defaults of its arguments and input fields. */
export function setDefaults(schema: GraphQLSchema, { types, directives }: CheckedSchema): void {
  for (const [name, directive] of directives) {
    mark(schema.getDirective(name)?.args ?? [], nodesIn(directive, "Arguments"));
  }
  for (const [name, definition] of types) {
    const type = schema.getType(name);
    const fields = nodesIn(definition, "Fields");
    if (isInputObjectType(type)) mark(Object.values(type.getFields()), fields);
    if (!isObjectType(type) && !isInterfaceType(type)) continue;
    const own = type.getFields();
    for (const field of fields) mark(own[textIn(field, "Name")]?.args ?? [], nodesIn(field, "Arguments"));
  }
}

function mark(inputs: readonly Defaulted[], declared: readonly Ast[]): void {
  for (const input of inputs) {
    const ast = declared.find((other) => textIn(other, "Name") === input.name);
    if (ast !== undefined && nodeIn(ast, "DefaultValue") !== undefined) input.defaultValue = null;
  }
}

function directiveDefinition(directive: Ast): AnyNode {
  return {
    kind: Kind.DIRECTIVE_DEFINITION,
    name: nameNode(textIn(directive, "Name")),
    arguments: nodesIn(directive, "Arguments").map(inputNode),
    repeatable: flagIn(directive, "IsRepeatable"),
    locations: textsIn(directive, "Locations").map(nameNode),
  };
}
