-- What a code is made from, and how long requests for codes are kept.

SET LOCAL ROLE loa_registry;

COMMENT ON COLUMN registry.device.code_request IS 'Hash of the message id of the request that made the one-time code and of code_expires_at (of older codes, the id itself). The code is in no table: the registry makes it again from this and its own secret key.';
COMMENT ON TABLE registry.device_code IS 'Who asked for which code: a request that comes twice makes one code. Kept until a week after the code has expired, and the newest 65,536 at most.';

RESET ROLE;
