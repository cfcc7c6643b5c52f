// The addon's frame: what an environment has open, how a call's arguments are checked, how the event
// loop reaches JavaScript, and how everything ends with its thread.

#include "sockets.h"

bool get_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *into,
                   Instance **instance) {
  size_t given = count;
  void *data = NULL;
  if (napi_get_cb_info(env, info, &given, into, NULL, &data) != napi_ok) return false;
  *instance = data;
  return given == count;
}

bool get_int(napi_env env, napi_value value, int32_t *into) {
  return napi_get_value_int32(env, value, into) == napi_ok;
}

Socket *get_socket(Instance *instance, napi_value id, enum Kind kind) {
  int32_t at = -1;
  if (!get_int(instance->env, id, &at) || at < 0 || at >= SOCKETS_MAX) return NULL;
  Socket *socket = instance->sockets[at];
  return socket != NULL && socket->kind == kind ? socket : NULL;
}

bool get_bytes(napi_env env, napi_value value, uint8_t **bytes, size_t *length) {
  napi_typedarray_type type;
  void *data = NULL;
  if (napi_get_typedarray_info(env, value, &type, length, &data, NULL, NULL) != napi_ok) return false;
  *bytes = data;
  return type == napi_uint8_array && data != NULL;
}

napi_value new_int(napi_env env, int32_t value) {
  napi_value result = NULL;
  napi_create_int32(env, value, &result);
  return result;
}

napi_value refuse(napi_env env, const char *message) {
  napi_throw_type_error(env, NULL, message);
  return NULL;
}

bool take_buffer(napi_env env, napi_value value, size_t bytes_min, Buffer *into) {
  bool is_buffer = false;
  void *data = NULL;
  size_t length = 0;
  if (napi_is_arraybuffer(env, value, &is_buffer) != napi_ok || !is_buffer) return false;
  if (napi_get_arraybuffer_info(env, value, &data, &length) != napi_ok) return false;
  if (data == NULL || length < bytes_min) return false;
  if (napi_create_reference(env, value, 1, &into->reference) != napi_ok) return false;
  into->data = data;
  into->length = length;
  return true;
}

void drop_buffer(napi_env env, Buffer *buffer) {
  if (buffer->reference != NULL) napi_delete_reference(env, buffer->reference);
  memset(buffer, 0, sizeof *buffer);
}

bool is_attached(napi_env env, const Buffer *buffer) {
  napi_value value = NULL;
  bool is_detached = true;
  if (napi_get_reference_value(env, buffer->reference, &value) != napi_ok || value == NULL) {
    return false;
  }
  return napi_is_detached_arraybuffer(env, value, &is_detached) == napi_ok && !is_detached;
}

static void release_instance(Instance *instance) {
  if (--instance->owners > 0) return;
  napi_async_cleanup_hook_handle hook = instance->hook;
  free(instance);
  if (hook != NULL) napi_remove_async_cleanup_hook(hook);
}

static void on_closed(uv_handle_t *handle) {
  Socket *socket = handle->data;
  Instance *instance = socket->instance;
  free(socket);
  release_instance(instance);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  Socket *socket = poll->data;
  napi_env env = socket->instance->env;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value receiver, callback, argument, result;
  if (napi_get_global(env, &receiver) == napi_ok &&
      napi_get_reference_value(env, socket->on_ready, &callback) == napi_ok &&
      napi_create_int32(env, status < 0 ? status : events, &argument) == napi_ok) {
    napi_status called =
        napi_make_callback(env, socket->context, receiver, callback, 1, &argument, &result);
    if (called == napi_pending_exception) {
      napi_value error;
      if (napi_get_and_clear_last_exception(env, &error) == napi_ok) {
        napi_fatal_exception(env, error);
      }
    }
  }
  napi_close_handle_scope(env, scope);
}

int watch(Socket *socket, int events) { return uv_poll_start(&socket->poll, events, on_poll); }

int32_t adopt(Instance *instance, Socket *socket, napi_value on_ready) {
  napi_env env = instance->env;
  int32_t id = 0;
  while (id < SOCKETS_MAX && instance->sockets[id] != NULL) id++;
  if (id == SOCKETS_MAX) return -EMFILE;
  napi_valuetype type = napi_undefined;
  if (napi_typeof(env, on_ready, &type) != napi_ok || type != napi_function) return -EINVAL;
  napi_value name;
  if (napi_create_string_utf8(env, "swarmkeep:sockets", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_reference(env, on_ready, 1, &socket->on_ready) != napi_ok ||
      napi_async_init(env, NULL, name, &socket->context) != napi_ok) {
    return -ENOMEM;
  }
  int failure = uv_poll_init(instance->loop, &socket->poll, socket->fd);
  if (failure < 0) return failure;
  socket->instance = instance;
  socket->poll.data = socket;
  socket->id = id;
  instance->sockets[id] = socket;
  instance->owners++;
  failure = watch(socket, UV_READABLE);
  if (failure < 0) {
    release_socket(socket);
    return failure;
  }
  return id;
}

static void forget(napi_env env, Socket *socket) {
  if (socket->on_ready != NULL) napi_delete_reference(env, socket->on_ready);
  if (socket->context != NULL) napi_async_destroy(env, socket->context);
  socket->on_ready = NULL;
  socket->context = NULL;
  for (int at = 0; at < BUFFERS_MAX; at++) drop_buffer(env, &socket->buffers[at]);
}

// What is not adopted is freed at once; what the event loop watches, when it has let go.
void release_socket(Socket *socket) {
  Instance *instance = socket->instance;
  if (socket->id < 0) {
    if (socket->dispose != NULL) socket->dispose(socket);
    forget(instance->env, socket);
    free(socket);
    return;
  }
  instance->sockets[socket->id] = NULL;
  uv_poll_stop(&socket->poll);
  if (socket->dispose != NULL) socket->dispose(socket);
  forget(instance->env, socket);
  uv_close((uv_handle_t *)&socket->poll, on_closed);
}

static napi_value close_socket(napi_env env, napi_callback_info info) {
  napi_value argument;
  Instance *instance;
  if (!get_arguments(env, info, 1, &argument, &instance)) return refuse(env, "close(id)");
  Socket *socket = get_socket(instance, argument, KIND_UDP);
  if (socket == NULL) socket = get_socket(instance, argument, KIND_TCP);
  if (socket == NULL) socket = get_socket(instance, argument, KIND_SENDER);
  if (socket == NULL) return refuse(env, "close: no such socket");
  release_socket(socket);
  return NULL;
}

// The thread ends, perhaps in the middle of anything.
static void on_environment_ends(napi_async_cleanup_hook_handle hook, void *data) {
  Instance *instance = data;
  instance->hook = hook;
  for (int32_t id = 0; id < SOCKETS_MAX; id++) {
    if (instance->sockets[id] != NULL) release_socket(instance->sockets[id]);
  }
  release_instance(instance);
}

static bool add_function(napi_env env, napi_value exports, const char *name, napi_callback run,
                         Instance *instance) {
  napi_value function;
  return napi_create_function(env, name, NAPI_AUTO_LENGTH, run, instance, &function) == napi_ok &&
         napi_set_named_property(env, exports, name, function) == napi_ok;
}

NAPI_MODULE_INIT() {
  Instance *instance = calloc(1, sizeof *instance);
  if (instance == NULL) return refuse(env, "no memory for the addon");
  instance->env = env;
  instance->owners = 1;
  napi_value version = new_int(env, ADDON_VERSION);
  bool is_made =
      version != NULL && napi_get_uv_event_loop(env, &instance->loop) == napi_ok &&
      napi_set_named_property(env, exports, "version", version) == napi_ok &&
      add_function(env, exports, "close", close_socket, instance) &&
      add_function(env, exports, "udpOpen", udp_open, instance) &&
      add_function(env, exports, "udpTurn", udp_turn, instance) &&
      add_function(env, exports, "udpWatch", udp_watch, instance) &&
      add_function(env, exports, "tcpOpen", tcp_open, instance) &&
      add_function(env, exports, "tcpDial", tcp_dial, instance) &&
      add_function(env, exports, "tcpAddOutput", tcp_add_output, instance) &&
      add_function(env, exports, "tcpTurn", tcp_turn, instance) &&
      add_function(env, exports, "tcpAccept", tcp_accept, instance) &&
      add_function(env, exports, "sendOpen", send_open, instance) &&
      add_function(env, exports, "sendFile", send_file, instance) &&
      add_function(env, exports, "sendCancel", send_cancel, instance) &&
      add_function(env, exports, "sendTake", send_take, instance) &&
      add_function(env, exports, "hashSegment", hash_segment, instance) &&
      add_function(env, exports, "hashFile", hash_file, instance) &&
      add_function(env, exports, "pageOffset", page_offset, instance) &&
      add_function(env, exports, "crc32c", crc32c, instance) &&
      napi_add_async_cleanup_hook(env, on_environment_ends, instance, &instance->hook) == napi_ok;
  if (!is_made) {
    free(instance);
    return refuse(env, "the addon cannot be set up");
  }
  return exports;
}
