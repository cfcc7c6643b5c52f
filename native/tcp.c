#include "sockets.h"
napi_value tcp_open(napi_env env, napi_callback_info info) { (void)info; return refuse(env, "no"); }
napi_value tcp_add_output(napi_env env, napi_callback_info info) { (void)info; return refuse(env, "no"); }
napi_value tcp_turn(napi_env env, napi_callback_info info) { (void)info; return refuse(env, "no"); }
napi_value tcp_accept(napi_env env, napi_callback_info info) { (void)info; return refuse(env, "no"); }
