"""A client of PostgreSQL by asyncpg: pools, prepared statements, cursors, COPY, errors.

Usage: wire_postgres.py URL [large]

Prints how many statements it has run whose results are large.
"""

import asyncio
import sys

import asyncpg

SECRET = "seed phrase of nobody at all 5ec7e7"


async def work(pool: asyncpg.Pool, number: int) -> None:
    async with pool.acquire() as connection:
        await connection.execute("INSERT INTO items (id, value) VALUES ($1, $2)", number, SECRET)
        assert await connection.fetchval("SELECT value FROM items WHERE id = $1", number) == SECRET
        async with connection.transaction():
            await connection.execute("UPDATE items SET value = $2 WHERE id = $1", number, SECRET * 1000)


async def main() -> None:
    pool = await asyncpg.create_pool(sys.argv[1], min_size=2, max_size=4)
    await pool.execute("CREATE TABLE items (id int PRIMARY KEY, value text)")
    await asyncio.gather(*(work(pool, number) for number in range(100)))
    async with pool.acquire() as connection:
        for _ in range(5):
            try:
                await connection.execute("INSERT INTO items (id, value) VALUES ($1, $2)", 1, SECRET)
            except asyncpg.UniqueViolationError:
                pass
        for _ in range(3):
            try:
                await connection.execute("SELECT missing FROM nowhere")
            except asyncpg.UndefinedTableError:
                pass
        rows = [(number, SECRET) for number in range(1000, 3000)]
        await connection.copy_records_to_table("items", records=rows)
        async with connection.transaction():
            found = [row async for row in connection.cursor("SELECT id FROM items", prefetch=500)]
        assert len(found) == 2100
        await connection.executemany("DELETE FROM items WHERE id = $1", [(number,) for number in range(50)])
        if sys.argv[2:] == ["large"]:
            for _ in range(20):
                assert len(await connection.fetchval("SELECT repeat('x', 5000000)")) == 5_000_000
                assert await connection.fetchval("SELECT 1") == 1
                assert len(await connection.fetch("SELECT generate_series(1, 50000)")) == 50_000
                assert await connection.fetchval("SELECT 1") == 1
    await pool.close()


asyncio.run(main())
