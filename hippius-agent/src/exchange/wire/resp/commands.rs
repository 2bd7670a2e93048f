//! The commands of Redis by name, and those whose words or replies mean something here.

/// What a command does to the connection or to queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing that matters here.
    None,
    /// `key item…`; the reply is the new length, 0 where nothing was pushed.
    Push,
    /// `key [option…] score member…`; the reply is the number of new members.
    SortedAdd,
    /// `key …`; the reply is the id of the entry, or nothing.
    StreamAdd,
    /// `key [count]`; the reply is an item or several.
    Pop,
    /// `key [count]`; the reply is members with scores.
    SortedPop,
    /// `key… timeout`; the reply is the key and an item.
    KeyedPop,
    /// The reply is the key and a list of items.
    MultiPop,
    /// The reply is the key and a list of members with scores.
    SortedMultiPop,
    /// `from to …`; the reply is the item.
    Move,
    /// `key member…`; the reply is how many there were.
    Remove,
    /// `key count item`; the reply is how many there were.
    RemoveValue,
    /// `[option…] STREAMS key… id…`
    StreamRead,
    /// `GROUP group consumer [option…] STREAMS key… id…`; the reply is entries by stream.
    GroupRead,
    /// One reply for each word.
    Subscribe,
    /// Likewise; without words one reply for each subscription.
    Unsubscribe,
    /// `REPLY OFF` and its like.
    Client,
    /// Begins a transaction.
    Multi,
    /// Runs it; the reply is those of its commands.
    Exec,
    /// Drops it.
    Discard,
    /// Lines come from now on that nothing asked for.
    Monitor,
    /// Ends all of the above.
    Reset,
    /// A replication stream comes from now on.
    Replicate,
}

/// A command that is known by name.
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    /// As a label.
    pub name: &'static str,
    pub(super) plan: Plan,
}

impl Command {
    /// The command of a word in any case.
    pub(super) fn find(word: &[u8]) -> Option<&'static Self> {
        let order = |command: &Self| command.name.bytes().cmp(word.iter().map(u8::to_ascii_uppercase));
        COMMANDS.binary_search_by(order).ok().and_then(|at| COMMANDS.get(at))
    }

    /// As a label where the command waits for something that may come much later.
    pub(super) fn blocking_name(&self) -> &'static str {
        match self.plan {
            Plan::StreamRead => "XREAD BLOCK",
            Plan::GroupRead => "XREADGROUP BLOCK",
            _ => self.name,
        }
    }

    /// Whether it waits on purpose, under this label.
    pub fn is_blocking(operation: &str) -> bool {
        operation.starts_with('B') && !operation.starts_with("BG") && !operation.starts_with("BIT")
            || operation.ends_with(" BLOCK")
            || operation.starts_with("WAIT")
    }
}

/// A command that is not in the table.
pub(super) const OTHER: Command = row("other", Plan::None);

const fn row(name: &'static str, plan: Plan) -> Command {
    Command { name, plan }
}

/// Commands of Redis 7 and 8 without their sub-commands, sorted. A label is one of these and never a word of the wire.
pub const COMMANDS: &[Command] = &[
    row("ACL", Plan::None),
    row("APPEND", Plan::None),
    row("ASKING", Plan::None),
    row("AUTH", Plan::None),
    row("BGREWRITEAOF", Plan::None),
    row("BGSAVE", Plan::None),
    row("BITCOUNT", Plan::None),
    row("BITFIELD", Plan::None),
    row("BITFIELD_RO", Plan::None),
    row("BITOP", Plan::None),
    row("BITPOS", Plan::None),
    row("BLMOVE", Plan::Move),
    row("BLMPOP", Plan::MultiPop),
    row("BLPOP", Plan::KeyedPop),
    row("BRPOP", Plan::KeyedPop),
    row("BRPOPLPUSH", Plan::Move),
    row("BZMPOP", Plan::SortedMultiPop),
    row("BZPOPMAX", Plan::KeyedPop),
    row("BZPOPMIN", Plan::KeyedPop),
    row("CLIENT", Plan::Client),
    row("CLUSTER", Plan::None),
    row("COMMAND", Plan::None),
    row("CONFIG", Plan::None),
    row("COPY", Plan::None),
    row("DBSIZE", Plan::None),
    row("DEBUG", Plan::None),
    row("DECR", Plan::None),
    row("DECRBY", Plan::None),
    row("DEL", Plan::None),
    row("DELEX", Plan::None),
    row("DIGEST", Plan::None),
    row("DISCARD", Plan::Discard),
    row("DUMP", Plan::None),
    row("ECHO", Plan::None),
    row("EVAL", Plan::None),
    row("EVALSHA", Plan::None),
    row("EVALSHA_RO", Plan::None),
    row("EVAL_RO", Plan::None),
    row("EXEC", Plan::Exec),
    row("EXISTS", Plan::None),
    row("EXPIRE", Plan::None),
    row("EXPIREAT", Plan::None),
    row("EXPIRETIME", Plan::None),
    row("FAILOVER", Plan::None),
    row("FCALL", Plan::None),
    row("FCALL_RO", Plan::None),
    row("FLUSHALL", Plan::None),
    row("FLUSHDB", Plan::None),
    row("FUNCTION", Plan::None),
    row("GEOADD", Plan::None),
    row("GEODIST", Plan::None),
    row("GEOHASH", Plan::None),
    row("GEOPOS", Plan::None),
    row("GEORADIUS", Plan::None),
    row("GEORADIUSBYMEMBER", Plan::None),
    row("GEORADIUSBYMEMBER_RO", Plan::None),
    row("GEORADIUS_RO", Plan::None),
    row("GEOSEARCH", Plan::None),
    row("GEOSEARCHSTORE", Plan::None),
    row("GET", Plan::None),
    row("GETBIT", Plan::None),
    row("GETDEL", Plan::None),
    row("GETEX", Plan::None),
    row("GETRANGE", Plan::None),
    row("GETSET", Plan::None),
    row("HDEL", Plan::None),
    row("HELLO", Plan::None),
    row("HEXISTS", Plan::None),
    row("HEXPIRE", Plan::None),
    row("HEXPIREAT", Plan::None),
    row("HEXPIRETIME", Plan::None),
    row("HGET", Plan::None),
    row("HGETALL", Plan::None),
    row("HGETDEL", Plan::None),
    row("HGETEX", Plan::None),
    row("HINCRBY", Plan::None),
    row("HINCRBYFLOAT", Plan::None),
    row("HKEYS", Plan::None),
    row("HLEN", Plan::None),
    row("HMGET", Plan::None),
    row("HMSET", Plan::None),
    row("HPERSIST", Plan::None),
    row("HPEXPIRE", Plan::None),
    row("HPEXPIREAT", Plan::None),
    row("HPEXPIRETIME", Plan::None),
    row("HPTTL", Plan::None),
    row("HRANDFIELD", Plan::None),
    row("HSCAN", Plan::None),
    row("HSET", Plan::None),
    row("HSETEX", Plan::None),
    row("HSETNX", Plan::None),
    row("HSTRLEN", Plan::None),
    row("HTTL", Plan::None),
    row("HVALS", Plan::None),
    row("INCR", Plan::None),
    row("INCRBY", Plan::None),
    row("INCRBYFLOAT", Plan::None),
    row("INFO", Plan::None),
    row("KEYS", Plan::None),
    row("LASTSAVE", Plan::None),
    row("LATENCY", Plan::None),
    row("LCS", Plan::None),
    row("LINDEX", Plan::None),
    row("LINSERT", Plan::None),
    row("LLEN", Plan::None),
    row("LMOVE", Plan::Move),
    row("LMPOP", Plan::MultiPop),
    row("LOLWUT", Plan::None),
    row("LPOP", Plan::Pop),
    row("LPOS", Plan::None),
    row("LPUSH", Plan::Push),
    row("LPUSHX", Plan::Push),
    row("LRANGE", Plan::None),
    row("LREM", Plan::RemoveValue),
    row("LSET", Plan::None),
    row("LTRIM", Plan::None),
    row("MEMORY", Plan::None),
    row("MGET", Plan::None),
    row("MIGRATE", Plan::None),
    row("MODULE", Plan::None),
    row("MONITOR", Plan::Monitor),
    row("MOVE", Plan::None),
    row("MSET", Plan::None),
    row("MSETEX", Plan::None),
    row("MSETNX", Plan::None),
    row("MULTI", Plan::Multi),
    row("OBJECT", Plan::None),
    row("PERSIST", Plan::None),
    row("PEXPIRE", Plan::None),
    row("PEXPIREAT", Plan::None),
    row("PEXPIRETIME", Plan::None),
    row("PFADD", Plan::None),
    row("PFCOUNT", Plan::None),
    row("PFDEBUG", Plan::None),
    row("PFMERGE", Plan::None),
    row("PFSELFTEST", Plan::None),
    row("PING", Plan::None),
    row("PSETEX", Plan::None),
    row("PSUBSCRIBE", Plan::Subscribe),
    row("PSYNC", Plan::Replicate),
    row("PTTL", Plan::None),
    row("PUBLISH", Plan::None),
    row("PUBSUB", Plan::None),
    row("PUNSUBSCRIBE", Plan::Unsubscribe),
    row("QUIT", Plan::None),
    row("RANDOMKEY", Plan::None),
    row("READONLY", Plan::None),
    row("READWRITE", Plan::None),
    row("RENAME", Plan::None),
    row("RENAMENX", Plan::None),
    row("REPLCONF", Plan::None),
    row("REPLICAOF", Plan::None),
    row("RESET", Plan::Reset),
    row("RESTORE", Plan::None),
    row("RESTORE-ASKING", Plan::None),
    row("ROLE", Plan::None),
    row("RPOP", Plan::Pop),
    row("RPOPLPUSH", Plan::Move),
    row("RPUSH", Plan::Push),
    row("RPUSHX", Plan::Push),
    row("SADD", Plan::None),
    row("SAVE", Plan::None),
    row("SCAN", Plan::None),
    row("SCARD", Plan::None),
    row("SCRIPT", Plan::None),
    row("SDIFF", Plan::None),
    row("SDIFFSTORE", Plan::None),
    row("SELECT", Plan::None),
    row("SET", Plan::None),
    row("SETBIT", Plan::None),
    row("SETEX", Plan::None),
    row("SETNX", Plan::None),
    row("SETRANGE", Plan::None),
    row("SHUTDOWN", Plan::None),
    row("SINTER", Plan::None),
    row("SINTERCARD", Plan::None),
    row("SINTERSTORE", Plan::None),
    row("SISMEMBER", Plan::None),
    row("SLAVEOF", Plan::None),
    row("SLOWLOG", Plan::None),
    row("SMEMBERS", Plan::None),
    row("SMISMEMBER", Plan::None),
    row("SMOVE", Plan::None),
    row("SORT", Plan::None),
    row("SORT_RO", Plan::None),
    row("SPOP", Plan::None),
    row("SPUBLISH", Plan::None),
    row("SRANDMEMBER", Plan::None),
    row("SREM", Plan::None),
    row("SSCAN", Plan::None),
    row("SSUBSCRIBE", Plan::Subscribe),
    row("STRLEN", Plan::None),
    row("SUBSCRIBE", Plan::Subscribe),
    row("SUBSTR", Plan::None),
    row("SUNION", Plan::None),
    row("SUNIONSTORE", Plan::None),
    row("SUNSUBSCRIBE", Plan::Unsubscribe),
    row("SWAPDB", Plan::None),
    row("SYNC", Plan::Replicate),
    row("TIME", Plan::None),
    row("TOUCH", Plan::None),
    row("TTL", Plan::None),
    row("TYPE", Plan::None),
    row("UNLINK", Plan::None),
    row("UNSUBSCRIBE", Plan::Unsubscribe),
    row("UNWATCH", Plan::None),
    row("WAIT", Plan::None),
    row("WAITAOF", Plan::None),
    row("WATCH", Plan::None),
    row("XACK", Plan::None),
    row("XACKDEL", Plan::None),
    row("XADD", Plan::StreamAdd),
    row("XAUTOCLAIM", Plan::None),
    row("XCLAIM", Plan::None),
    row("XDEL", Plan::None),
    row("XDELEX", Plan::None),
    row("XGROUP", Plan::None),
    row("XINFO", Plan::None),
    row("XLEN", Plan::None),
    row("XPENDING", Plan::None),
    row("XRANGE", Plan::None),
    row("XREAD", Plan::StreamRead),
    row("XREADGROUP", Plan::GroupRead),
    row("XREVRANGE", Plan::None),
    row("XSETID", Plan::None),
    row("XTRIM", Plan::None),
    row("ZADD", Plan::SortedAdd),
    row("ZCARD", Plan::None),
    row("ZCOUNT", Plan::None),
    row("ZDIFF", Plan::None),
    row("ZDIFFSTORE", Plan::None),
    row("ZINCRBY", Plan::None),
    row("ZINTER", Plan::None),
    row("ZINTERCARD", Plan::None),
    row("ZINTERSTORE", Plan::None),
    row("ZLEXCOUNT", Plan::None),
    row("ZMPOP", Plan::SortedMultiPop),
    row("ZMSCORE", Plan::None),
    row("ZPOPMAX", Plan::SortedPop),
    row("ZPOPMIN", Plan::SortedPop),
    row("ZRANDMEMBER", Plan::None),
    row("ZRANGE", Plan::None),
    row("ZRANGEBYLEX", Plan::None),
    row("ZRANGEBYSCORE", Plan::None),
    row("ZRANGESTORE", Plan::None),
    row("ZRANK", Plan::None),
    row("ZREM", Plan::Remove),
    row("ZREMRANGEBYLEX", Plan::None),
    row("ZREMRANGEBYRANK", Plan::None),
    row("ZREMRANGEBYSCORE", Plan::None),
    row("ZREVRANGE", Plan::None),
    row("ZREVRANGEBYLEX", Plan::None),
    row("ZREVRANGEBYSCORE", Plan::None),
    row("ZREVRANK", Plan::None),
    row("ZSCAN", Plan::None),
    row("ZSCORE", Plan::None),
    row("ZUNION", Plan::None),
    row("ZUNIONSTORE", Plan::None),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_found_in_any_case() {
        assert!(COMMANDS.is_sorted_by(|one, other| one.name < other.name));
        for command in COMMANDS {
            assert_eq!(Command::find(command.name.to_lowercase().as_bytes()), Some(command));
        }
        assert_eq!(Command::find(b"SECRET"), None);
        assert_eq!(Command::find(b""), None);
    }

    #[test]
    fn commands_that_wait_on_purpose_are_told_apart() {
        let waiting: Vec<_> = COMMANDS.iter().map(|command| command.name).filter(|n| Command::is_blocking(n)).collect();
        let expected = "BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN WAIT WAITAOF";
        assert_eq!(waiting.join(" "), expected);
        assert!(Command::is_blocking("XREAD BLOCK"));
    }
}
