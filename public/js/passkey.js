// Forms that make a passkey or use one. The browser's answer is sent as a field: what a script fetches cannot log in.

/** @param {ParentNode} root */
export function passkeys(root) {
  // By itself, Enter presses the first button of a form, which is another one's here.
  for (const field of root.querySelectorAll('input[data-enter]')) {
    field.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.isComposing) return;
      event.preventDefault();
      field.form.requestSubmit(field.form.querySelector(`button[value="${field.dataset.enter}"]`));
    });
  }
  for (const form of root.querySelectorAll('form[data-passkey]')) {
    const button = form.querySelector('button');
    const error = form.querySelector('[data-passkey-error]');
    const say = (text) => {
      error.textContent = text;
      error.hidden = false;
    };
    form.hidden = false;
    form.addEventListener('submit', (event) => event.preventDefault());
    button.addEventListener('click', async () => {
      error.hidden = true;
      if (window.PublicKeyCredential === undefined || !window.isSecureContext) return say(form.dataset.none);
      button.disabled = true;
      try {
        form.elements.response.value = JSON.stringify(await ask(form));
        form.submit();
      } catch (reason) {
        console.warn(reason);
        say(reason.name === 'InvalidStateError' ? form.dataset.twice : form.dataset.failed);
        button.disabled = false;
      }
    });
  }
}

async function ask(form) {
  const options = JSON.parse(form.dataset.options);
  const publicKey = { ...options, challenge: bytes(options.challenge) };
  if (form.dataset.passkey === 'create') {
    publicKey.user = { ...options.user, id: bytes(options.user.id) };
    publicKey.excludeCredentials = options.excludeCredentials.map((one) => ({ ...one, id: bytes(one.id) }));
    const made = await navigator.credentials.create({ publicKey });
    const { clientDataJSON, attestationObject } = made.response;
    const transports = made.response.getTransports?.() ?? [];
    return {
      ...facts(made),
      response: { clientDataJSON: text(clientDataJSON), attestationObject: text(attestationObject), transports },
    };
  }
  publicKey.allowCredentials = options.allowCredentials.map((one) => ({ ...one, id: bytes(one.id) }));
  const found = await navigator.credentials.get({ publicKey });
  const { clientDataJSON, authenticatorData, signature, userHandle } = found.response;
  return {
    ...facts(found),
    response: {
      clientDataJSON: text(clientDataJSON),
      authenticatorData: text(authenticatorData),
      signature: text(signature),
      ...(userHandle === null ? {} : { userHandle: text(userHandle) }),
    },
  };
}

function facts({ id, rawId, type }) {
  return { id, rawId: text(rawId), type, clientExtensionResults: {} };
}

function bytes(base64url) {
  const plain = window.atob(base64url.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

function text(buffer) {
  const letters = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join('');
  return window.btoa(letters).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
