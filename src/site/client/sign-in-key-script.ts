// The script of the two pages on which a key of the device is made or used: it hands the page's challenge
// to the browser, puts the answer into the form's hidden fields and sends it, as any form is sent. Without
// it there are no such keys, and the password does.

export const signInKeyScript = `'use strict';
(() => {
  const form = document.querySelector('form[aria-label="Key of this device"]');
  if (form === null) return;
  const state = document.querySelector('[data-state]');
  const field = (name) => form.querySelector('input[name="' + name + '"]');
  const asked = JSON.parse(field('asked').value);
  const bytes = (text) => Uint8Array.from(
    atob(text.replaceAll('-', '+').replaceAll('_', '/')), (one) => one.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  const keys = (names) => names.map((id) => ({ type: 'public-key', id: bytes(id) }));

  const make = async () => {
    const { id, response } = await navigator.credentials.create({ publicKey: {
      challenge: bytes(asked.challenge),
      rp: { id: asked.party, name: asked.site },
      user: { id: bytes(asked.user), name: asked.name, displayName: asked.name },
      pubKeyCredParams: asked.algorithms.map((alg) => ({ type: 'public-key', alg })),
      excludeCredentials: keys(asked.known),
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      attestation: 'none',
      timeout: 120000,
    } });
    field('credential').value = id;
    field('authData').value = text(response.getAuthenticatorData());
    field('publicKey').value = text(response.getPublicKey());
    field('algorithm').value = String(response.getPublicKeyAlgorithm());
    return response;
  };
  const use = async () => {
    const { id, response } = await navigator.credentials.get({ publicKey: {
      challenge: bytes(asked.challenge),
      rpId: asked.party,
      userVerification: 'required',
      timeout: 120000,
    } });
    field('credential').value = id;
    field('authData').value = text(response.authenticatorData);
    field('signature').value = text(response.signature);
    return response;
  };

  if (!('credentials' in navigator) || typeof PublicKeyCredential === 'undefined') {
    state.textContent = 'This browser, or this address, cannot use keys of devices.';
    return;
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    state.textContent = 'Your device asks you now.';
    (asked.deed === 'make' ? make() : use()).then((response) => {
      field('clientData').value = text(response.clientDataJSON);
      form.submit();
    }, (error) => {
      state.textContent = error.name === 'InvalidStateError'
        ? 'This device has a key for this account already.'
        : 'It did not work: ' + error.message;
    });
  });
  form.querySelector('button').disabled = false;
})();
`;
