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
    -- Trimmed as the gateway trims.
    local name = pair:match("^[ \t]*(.-)[ \t]*=") or pair:match("^[ \t]*(.-)[ \t]*$")
    local ours = false
    for _, cookie in ipairs(told.cookies) do ours = ours or name:lower() == cookie end
    if not ours and name ~= "" then kept[#kept + 1] = pair:match("^[ \t]*(.-)[ \t]*$") end
  end
  return table.concat(kept, "; ")
end

-- Exact, or everything beneath one with a final star.
local function matches(path, patterns)
  for _, pattern in ipairs(patterns) do
    if path == pattern then return true end
    if pattern:sub(-1) == "*" and path:sub(1, #pattern - 1) == pattern:sub(1, -2) then return true end
  end
  return false
end

-- The path as a role will read it; nil if it could be read in another way too.
local function read(path)
  local decoded = path:gsub("%%(%x%x)", function(figures) return string.char(tonumber(figures, 16)) end)
  if path:sub(1, 1) ~= "/" or decoded:find("[%z\\]") then return nil end
  for segment in decoded:gmatch("[^/]+") do
    if segment == "." or segment == ".." then return nil end
  end
  return decoded
end

local function own_page(path)
  return path == "/.tallygate/keys" or path == "/.tallygate/login" or path == "/.tallygate/callback" or path == "/.tallygate/logout"
end

-- The certificate that TLS was shown, as nginx writes it: PEM, escaped.
local function shown(txn)
  local content = txn.f:ssl_c_der()
  if content == nil or content == "" then return "" end
  local lines = txn.c:base64(content):gsub(("."):rep(64), "%0\n")
  local text = "-----BEGIN CERTIFICATE-----\n" .. lines:gsub("\n$", "") .. "\n-----END CERTIFICATE-----\n"
  return (text:gsub("[^%w%-._~]", function(sign) return ("%%%02X"):format(sign:byte()) end))
end

-- Nothing of the client's stays but what is named; `host`, and what frames the body, are HAProxy's own business.
local function strip(txn, headers, names)
  for name in pairs(headers) do
    if not names[name:lower()] and name ~= "host" and name ~= "content-length" and name ~= "transfer-encoding" then
      txn.http:req_del_header(name)
    end
  end
  for name, values in pairs(headers) do
    -- By first value, as nginx does.
    if names[name:lower()] and joined(values) ~= first(values) then txn.http:req_set_header(name, first(values)) end
  end
end

local function introduce(txn, host, scheme)
  txn.http:req_set_header("host", host .. ":" .. told.ports[txn.f:fe_name()])
  txn.http:req_set_header("x-forwarded-for", txn.sf:src())
  txn.http:req_set_header("x-forwarded-proto", scheme)
  txn.http:req_set_header("x-forwarded-host", host .. ":" .. told.ports[txn.f:fe_name()])
end

local function vouch(txn, role)
  txn.http:req_set_header("tallygate-caller", told.caller)
  txn.http:req_set_header("tallygate-secret", told.secrets[role])
end

local function original(txn, host, method, target)
  local set = function(name, value) txn.http:req_set_header(name, value) end
  vouch(txn, "gateway")
  set("tallygate-listener", txn.f:fe_name())
  set("x-original-method", method)
  set("x-original-host", host)
  set("x-original-uri", target)
  set("x-client-address", txn.sf:src())
end

-- What is answered: status, and the headers that came with it.
local function asked(txn, host, method, target, headers, certificate)
  local question = {
    ["host"] = {host},
    ["tallygate-caller"] = {told.caller},
    ["tallygate-secret"] = {told.secrets["gateway"]},
    ["x-original-method"] = {method},
    ["x-original-host"] = {host},
    ["x-original-uri"] = {target},
    ["x-client-address"] = {txn.sf:src()},
    ["tallygate-request"] = {txn.sf:unique_id()},
  }
  local more = {
    ["cookie"] = joined(headers["cookie"]),
    ["authorization"] = joined(headers["authorization"]),
    ["dpop"] = joined(headers["dpop"]),
    ["forwarded"] = joined(headers["forwarded"]),
    ["tallygate-length"] = joined(headers["transfer-encoding"]) .. joined(headers["content-length"]),
    ["tallygate-media"] = first(headers["content-type"]),
    ["tallygate-upgrade"] = told.whole and joined(headers["upgrade"]) or "",
    ["tallygate-origin"] = told.whole and first(headers["origin"]) or "",
    ["tallygate-client-certificate"] = certificate and shown(txn) or "",
  }
  for name, value in pairs(more) do
    if value ~= "" then question[name] = {value} end
  end
  local answer = core.httpclient():get{
    url = "http://gateway/decide/" .. txn.f:fe_name(), headers = question, dst = told.socket, timeout = 10000,
  }
  return answer and answer.status or 0, answer and answer.headers or {}
end

-- The refusing page; when the gateway did not answer, it will not either, and HAProxy says 503.
local function refuse(txn, host, method, target, headers, said)
  for name in pairs(headers) do
    if not told.page[name:lower()] and name ~= "host" and name ~= "content-length" and name ~= "transfer-encoding" then
      txn.http:req_del_header(name)
    end
  end
  for _, name in ipairs{"cookie", "authorization"} do
    if joined(headers[name]) ~= "" then txn.http:req_set_header(name, joined(headers[name])) end
  end
  original(txn, host, method, target)
  for _, name in ipairs{"tallygate-reason", "tallygate-step-up", "tallygate-could", "tallygate-decision"} do
    if first(said[name]) ~= "" then txn.http:req_set_header(name, first(said[name])) end
  end
  txn.http:req_set_method("GET")
  txn.http:req_set_path("/.tallygate/denied")
  txn:set_var("txn.to", "role_gateway")
end

-- A WebSocket goes to the gateway's keeper, which can end it.
local function keep(txn, headers, said)
  vouch(txn, "gateway")
  if first(said[told.ties]) ~= "" then txn.http:req_set_header(told.ties, first(said[told.ties])) end
  for _, name in ipairs{"sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol", "origin"} do
    if first(headers[name]) ~= "" then txn.http:req_set_header(name, first(headers[name])) end
  end
  if joined(headers["upgrade"]):lower() == "websocket" then
    txn.http:req_set_header("connection", "upgrade")
    txn.http:req_set_header("upgrade", "websocket")
  end
  txn:set_var("txn.to", "gateway_live")
end

local function guarded(txn, host, known, method, target, headers)
  local path = target:match("^[^?]*")
  local cookie, authorization = joined(headers["cookie"]), joined(headers["authorization"])
  if path:sub(1, 8) == "/static/" then
    txn:set_var("txn.to", "role_gateway")
    return
  end
  if own_page(path) or told.told_to_all[host .. path] then
    if cookie ~= "" then txn.http:req_set_header("cookie", cookie) end
    original(txn, host, method, target)
    txn:set_var("txn.to", "role_gateway")
    return
  end
  local status, said = asked(txn, host, method, target, headers, true)
  txn:set_var("txn.decision", first(said["tallygate-decision"]))
  if status ~= 204 then
    refuse(txn, host, method, target, headers, said)
    return
  end
  local identity = first(said["tallygate-identity"])
  if identity ~= "" then txn.http:req_set_header("tallygate-identity", identity) end
  txn.http:req_set_header("tallygate-decision", first(said["tallygate-decision"]))
  local rest = without_ours(cookie)
  if rest ~= "" then txn.http:req_set_header("cookie", rest) end
  if known.passes_token and authorization ~= "" then txn.http:req_set_header("authorization", authorization) end
  txn:set_var("txn.guarded", "yes")
  if matches(path, known.sockets) then keep(txn, headers, said) else txn:set_var("txn.to", known.to) end
end

-- It identifies its callers itself; only whether it is shut for now is asked.
local function open(txn, host, known, method, target, headers)
  if known.asked then
    -- Where TLS asks for a certificate, it may be that of a proxy which speaks for another zone.
    local status, said = asked(txn, host, method, target, headers, true)
    if status ~= 204 then
      local decision = first(said["tallygate-decision"])
      txn:set_var("txn.decision", decision)
      if decision ~= "" then txn:set_var("txn.noted", "yes") end
      refuse(txn, host, method, target, headers, said)
      return
    end
  end
  for _, name in ipairs{"cookie", "authorization"} do
    if joined(headers[name]) ~= "" then txn.http:req_set_header(name, joined(headers[name])) end
  end
  if known.certificate then
    vouch(txn, known.role)
    local certificate = shown(txn)
    if certificate ~= "" then txn.http:req_set_header("tallygate-client-certificate", certificate) end
  end
  if known.decides then
    txn:set_var("txn.decides", "yes")
    txn.http:req_set_header("tallygate-listener", txn.f:fe_name())
  end
  txn:set_var("txn.to", known.to)
end

-- What can be said before anybody is asked: whether there is such a place, and whether strangers are counted there.
core.register_action("tallygate-place", {"http-req"}, function(txn)
  local known, path = told.hosts[txn:get_var("txn.host")], txn.sf:url():match("^[^?]*")
  if known.guarded then
    if path:sub(1, 12) == "/.tallygate/" and not own_page(path) then txn:set_var("txn.to", "nobody") end
    txn:set_var("txn.noted", "yes")
    return
  end
  local decoded = read(path)
  if decoded == nil then
    txn:set_var("txn.to", "unclear")
  elseif #known.paths > 0 and not matches(decoded, known.paths) then
    txn:set_var("txn.to", "nobody")
  end
  if decoded ~= nil and matches(decoded, known.limited) then txn:set_var("txn.limited", "yes") end
  if known.decides then txn:set_var("txn.noted", "yes") end
end)

core.register_action("tallygate", {"http-req"}, function(txn)
  local headers = txn.http:req_get_headers()
  local host, method, target = txn:get_var("txn.host"), txn.sf:method(), txn.sf:url()
  local known = told.hosts[host]
  strip(txn, headers, told.headers)
  introduce(txn, host, "https")
  txn.http:req_set_header("x-original-uri", target)
  if known.guarded then
    guarded(txn, host, known, method, target, headers)
  else
    open(txn, host, known, method, target, headers)
  end
end)

-- Lists, answers and certificates that must be had before trust exists.
core.register_action("tallygate-plain", {"http-req"}, function(txn)
  strip(txn, txn.http:req_get_headers(), told.plain)
  introduce(txn, txn:get_var("txn.host"), "http")
end)
