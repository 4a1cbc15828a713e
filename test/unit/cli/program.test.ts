import { expect, it } from 'vitest';
import { createProgram } from '../../../src/cli/program.js';

const program = createProgram(() => {
  throw new Error('no verb runs here');
}, '1.2.3');
const shown = program.commands.filter((command) => !command.name().startsWith('_') && command.name() !== 'destroy');

it.each(shown.map((command) => [command.name(), command] as const))(
  'the help lists %s below a heading, and says what it does and takes',
  (_name, command) => {
    expect(command.helpGroup()).toMatch(/^[A-Z][a-z]+:$/);
    expect(command.description()).toMatch(/^[a-z].*[^.]$/);
    for (const argument of command.registeredArguments) expect(argument.description).not.toBe('');
    for (const option of command.options.filter(({ hidden }) => !hidden)) expect(option.description).not.toBe('');
  },
);
