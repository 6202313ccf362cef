"""SQLAlchemy Core and ORM, on the driver that the mode names: pymysql, mysqldb or mysqlconnector."""

import datetime
import decimal
from typing import Optional

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import mysql

from common import BIG, big, host, mode, password, port, say, schema, user

url = sa.URL.create(f"mysql+{mode}", user, password, host, port, schema, {"charset": "utf8mb4"})
engine = sa.create_engine(url, pool_pre_ping=True, pool_size=3, max_overflow=2, pool_recycle=3600)


class Base(orm.DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(80), unique=True)
    born: orm.Mapped[Optional[datetime.date]]
    books: orm.Mapped[list["Book"]] = orm.relationship(back_populates="author", cascade="all, delete-orphan")


class Book(Base):
    __tablename__ = "books"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    title: orm.Mapped[str] = orm.mapped_column(sa.String(200))
    price: orm.Mapped[decimal.Decimal] = orm.mapped_column(sa.Numeric(10, 2))
    details: orm.Mapped[Optional[dict]] = orm.mapped_column(sa.JSON)
    cover: orm.Mapped[Optional[bytes]] = orm.mapped_column(mysql.LONGBLOB)
    author_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("authors.id"))
    author: orm.Mapped[Author] = orm.relationship(back_populates="books")


say("dialect", [engine.dialect.name, engine.dialect.is_mariadb if engine.connect().close() is None else None, list(engine.dialect.server_version_info)])
# Else every read is in a transaction.
with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
    say("before", connection.execute(sa.text("SELECT 'before' AS phase, orders.* FROM orders WHERE customer_id = :c ORDER BY id DESC LIMIT 3"), {"c": 7}).all())
    kinds = sa.Table("kinds", sa.MetaData(), autoload_with=connection)
    # What GEOMETRY is to Python, SQLAlchemy does not know.
    columns = [column for column in kinds.c if column.name != "place"]
    say("kinds", connection.execute(sa.select(*columns).order_by(kinds.c.id)).all())
    for level in ["READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"]:
        with engine.connect().execution_options(isolation_level=level) as other:
            say("isolation", [level, other.get_isolation_level(), other.scalar(sa.text("SELECT COUNT(*) FROM customers"))])
    say("default", connection.get_isolation_level())

Base.metadata.create_all(engine)
inspector = sa.inspect(engine)
say("tables", sorted(inspector.get_table_names()))
for table in ["kinds", "books", "items"]:
    say("columns", [[column["name"], repr(column["type"]), column["nullable"], column["default"]] for column in inspector.get_columns(table)])
    say("keys", [inspector.get_pk_constraint(table), inspector.get_foreign_keys(table), inspector.get_indexes(table), inspector.get_unique_constraints(table)])
say("schemas", [name for name in inspector.get_schema_names() if name in (schema, "information_schema")])

with orm.Session(engine) as session:
    session.add_all([Author(name=f"Zoë 🛒 {i}", born=datetime.date(1950 + i, 1, 2), books=[Book(title=f"Bd. {i}.{j}", price=decimal.Decimal("19.99") + j, details={"t": ["é", j]}, cover=bytes(range(j))) for j in range(3)]) for i in range(20)])
    session.commit()
    say("ids", session.scalars(sa.select(Book.id).order_by(Book.id)).all()[:5])
    found = session.scalars(sa.select(Author).options(orm.selectinload(Author.books)).where(Author.name.like("%🛒 1%")).order_by(Author.id)).all()
    say("loaded", [[author.name, author.born, [[book.title, book.price, book.details, book.cover] for book in author.books]] for author in found])
    with session.begin_nested() as savepoint:
        session.add(Author(name="gone"))
        session.flush()
        savepoint.rollback()
    say("savepoint", session.scalar(sa.select(sa.func.count()).select_from(Author)))
    locked = session.scalars(sa.select(Author).where(Author.id == 1).with_for_update()).one()
    locked.name = "locked"
    session.delete(session.get(Author, 2))
    session.commit()
    say("cascade", session.execute(sa.select(sa.func.count(), sa.func.sum(Book.price)).select_from(Book)).one())
    try:
        session.add(Author(name="locked"))
        session.commit()
    except sa.exc.IntegrityError as error:
        say("duplicate", [error.orig.args[0], str(error.orig.args[1])])
        session.rollback()
    say("update", session.execute(sa.update(Book).where(Book.price > 20).values(price=Book.price + 1)).rowcount)
    say("same", session.execute(sa.update(Book).values(price=Book.price)).rowcount)
    session.rollback()
    statement = mysql.insert(Author).values([{"id": 1, "name": "again"}, {"id": 99, "name": "new"}])
    say("upsert", session.execute(statement.on_duplicate_key_update(name=statement.inserted.name)).rowcount)
    session.commit()
    for size in BIG:
        session.add(Book(title=str(size), price=1, cover=big(size), author_id=1))
        session.commit()
    session.expire_all()
    say("big", [session.scalars(sa.select(Book.cover).where(Book.title == str(size))).one() for size in BIG])
    say("streamed", sum(len(part) for part in session.scalars(sa.select(Book.title).execution_options(yield_per=10)).partitions()))

with engine.connect().execution_options(stream_results=True) as connection:
    say("rows", sum(row[0] for row in connection.execute(sa.text("SELECT a.d * 1000 + b.d * 100 + c.d * 10 + d.d FROM digits a, digits b, digits c, digits d"))))
many = sa.Table("imports", sa.MetaData(), autoload_with=engine)
with engine.begin() as connection:
    say("executemany", connection.execute(many.insert(), [{"id": i, "name": f"é {i}", "amount": i} for i in range(2000)]).rowcount)
    say("sum", connection.execute(sa.select(sa.func.count(), sa.func.sum(many.c.amount))).one())
Base.metadata.drop_all(engine)
say("pool", [engine.pool.size(), engine.pool.checkedout()])
engine.dispose()
