-- SPDX-License-Identifier: Apache-2.0
-- Asks the gateway before HAProxy forwards, and leaves of a request only what a host may see.
-- Without an answer of yes nothing goes further: every other end of this script is the refusing page or 503.

-- What it is told (`told`) is written above this line, by the site.

local function first(values)
  if values == nil then return "" end
  return values[0] or values[1] or ""
end

local function joined(values)
  if values == nil then return "" end
  local all = {}
  if values[0] ~= nil then all[1] = values[0] end
  for _, value in ipairs(values) do all[#all + 1] = value end
  return table.concat(all, ",")
end

local function without_ours(header)
  local kept = {}
  for pair in header:gmatch("[^;,]+") do
    local name = pair:match("^%s*(.-)%s*=") or pair:match("^%s*(.-)%s*$")
    local ours = false
    for _, cookie in ipairs(told.cookies) do ours = ours or name:lower() == cookie end
    if not ours and name ~= "" then kept[#kept + 1] = pair:match("^%s*(.-)%s*$") end
  end
  return table.concat(kept, "; ")
end

local function own_page(path)
  return path == "/.tallygate/keys" or path == "/.tallygate/login" or path == "/.tallygate/callback" or path == "/.tallygate/logout"
end

-- Nothing of the client's stays but what is named; `host`, and what frames the body, are HAProxy's own business.
local function strip(txn, headers)
  for name in pairs(headers) do
    if not told.headers[name:lower()] and name ~= "host" and name ~= "content-length" and name ~= "transfer-encoding" then
      txn.http:req_del_header(name)
    end
  end
  for name, values in pairs(headers) do
    -- By first value, as nginx does.
    if told.headers[name:lower()] and joined(values) ~= first(values) then txn.http:req_set_header(name, first(values)) end
  end
end

local function vouch(txn, host, method, target)
  local set = function(name, value) txn.http:req_set_header(name, value) end
  set("tallygate-caller", told.caller)
  set("tallygate-secret", told.secret)
  set("tallygate-listener", told.listener)
  set("x-original-method", method)
  set("x-original-host", host)
  set("x-original-uri", target)
  set("x-client-address", txn.sf:src())
end

core.register_action("tallygate", {"http-req"}, function(txn)
  local headers = txn.http:req_get_headers()
  local host, method, target = txn:get_var("txn.host"), txn.sf:method(), txn.sf:url()
  local path = target:match("^[^?]*")
  local cookie, authorization = joined(headers["cookie"]), joined(headers["authorization"])

  strip(txn, headers)
  txn.http:req_set_header("host", host .. ":" .. told.port)
  txn.http:req_set_header("x-forwarded-for", txn.sf:src())
  txn.http:req_set_header("x-forwarded-proto", "https")
  txn.http:req_set_header("x-forwarded-host", host .. ":" .. told.port)
  txn.http:req_set_header("x-original-uri", target)
  if path:sub(1, 8) == "/static/" then
    txn:set_var("txn.to", "gateway")
    return
  end
  if own_page(path) or told.told_to_all[host .. path] then
    if cookie ~= "" then txn.http:req_set_header("cookie", cookie) end
    vouch(txn, host, method, target)
    txn:set_var("txn.to", "gateway")
    return
  end
  if path:sub(1, 12) == "/.tallygate/" then
    txn:set_var("txn.to", "nobody")
    return
  end

  local length = joined(headers["transfer-encoding"]) .. joined(headers["content-length"])
  local asked = {
    ["host"] = {host},
    ["tallygate-caller"] = {told.caller},
    ["tallygate-secret"] = {told.secret},
    ["x-original-method"] = {method},
    ["x-original-host"] = {host},
    ["x-original-uri"] = {target},
    ["x-client-address"] = {txn.sf:src()},
    ["tallygate-request"] = {txn.sf:unique_id()},
  }
  local certificate = txn.f:ssl_c_der()
  local more = {
    ["cookie"] = cookie,
    ["authorization"] = authorization,
    ["dpop"] = joined(headers["dpop"]),
    ["forwarded"] = joined(headers["forwarded"]),
    ["tallygate-length"] = length,
    ["tallygate-media"] = first(headers["content-type"]),
    ["tallygate-client-certificate"] = certificate and txn.c:base64(certificate) or "",
  }
  for name, value in pairs(more) do
    if value ~= "" then asked[name] = {value} end
  end
  local answer = core.httpclient():get{
    url = "http://gateway/decide/" .. told.listener, headers = asked, dst = told.socket, timeout = 10000,
  }
  local status = answer and answer.status or 0
  local said = answer and answer.headers or {}
  if status == 204 then
    local identity = first(said["tallygate-identity"])
    if identity ~= "" then txn.http:req_set_header("tallygate-identity", identity) end
    txn.http:req_set_header("tallygate-decision", first(said["tallygate-decision"]))
    local rest = without_ours(cookie)
    if rest ~= "" then txn.http:req_set_header("cookie", rest) end
    if told.passes_token[host] and authorization ~= "" then txn.http:req_set_header("authorization", authorization) end
    txn:set_var("txn.to", "host")
    return
  end
  -- The refusing page; when the gateway did not answer, it will not either, and HAProxy says 503.
  vouch(txn, host, method, target)
  txn.http:req_set_header("tallygate-reason", first(said["tallygate-reason"]))
  txn.http:req_set_header("tallygate-step-up", first(said["tallygate-step-up"]))
  txn.http:req_set_header("tallygate-decision", first(said["tallygate-decision"]))
  txn.http:req_set_method("GET")
  txn.http:req_set_path("/.tallygate/denied")
  txn:set_var("txn.to", "gateway")
end)
