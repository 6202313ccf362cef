"""Django's ORM on mysqlclient: migrations, relations, transactions, locks, iterators, inspectdb."""

import datetime
import decimal
import io

import django
from django.conf import settings

from common import BIG, big, host, password, port, say, schema, user

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.mysql", "HOST": host, "PORT": port, "USER": user, "PASSWORD": password, "NAME": schema, "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True, "OPTIONS": {"charset": "utf8mb4", "isolation_level": "read committed"}}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    TIME_ZONE="UTC",
    LOGGING_CONFIG=None,
)
django.setup()

from django.contrib.auth.models import Group, Permission, User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import IntegrityError, OperationalError, ProgrammingError, connection, models, transaction  # noqa: E402
from django.db.models import Count, F, Q, Sum, Window  # noqa: E402
from django.db.models.functions import RowNumber  # noqa: E402


class Parcel(models.Model):
    code = models.CharField(max_length=40, unique=True)
    weight = models.DecimalField(max_digits=8, decimal_places=3)
    sent = models.DateTimeField(null=True)
    took = models.DurationField(null=True)
    body = models.BinaryField(null=True)
    notes = models.JSONField(default=dict)
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE)

    class Meta:
        app_label = "parcels"


def command(name, *arguments):
    out = io.StringIO()
    call_command(name, *arguments, stdout=out, no_color=True)
    return out.getvalue()


with connection.cursor() as cursor:
    cursor.execute("SELECT 'before' AS phase, orders.* FROM orders WHERE customer_id = %s ORDER BY id DESC LIMIT 3", [7])
    say("before", cursor.fetchall())
say("features", [connection.vendor, connection.mysql_is_mariadb, connection.mysql_version, sorted(connection.sql_mode)])
say("migrate", command("migrate"))
say("migrations", command("showmigrations"))
with connection.schema_editor() as editor:
    editor.create_model(Parcel)

noon = datetime.datetime(2024, 12, 24, 12, 0, 0, 123456, datetime.timezone.utc)
made = Parcel.objects.bulk_create([Parcel(code=f"🎁-{i}", weight=decimal.Decimal(i) / 8, sent=noon + datetime.timedelta(hours=i), took=datetime.timedelta(days=i, microseconds=i), body=bytes(range(i % 256)), notes={"é": [i, None]}) for i in range(400)], batch_size=150)
say("made", [made[0].pk, Parcel.objects.count(), Parcel.objects.aggregate(Sum("weight"), Count("sent"))])
say("one", list(Parcel.objects.filter(notes__é__0=7).values_list("code", "weight", "sent", "took", "body", "notes")))
say("upsert", [Parcel.objects.bulk_create([Parcel(code="🎁-1", weight=9)], update_conflicts=True, update_fields=["weight"])[0].code, Parcel.objects.get(code="🎁-1").weight])
say("ignored", len(Parcel.objects.bulk_create([Parcel(code="🎁-2", weight=9), Parcel(code="new", weight=9)], ignore_conflicts=True)))
say("update", [Parcel.objects.filter(weight__gt=40).update(weight=F("weight") + 1), Parcel.objects.filter(weight__gt=40).update(weight=F("weight"))])
say("window", list(Parcel.objects.annotate(n=Window(RowNumber(), order_by=F("weight").desc())).values_list("n", "code")[:5]))
say("iterator", sum(len(parcel.code) for parcel in Parcel.objects.order_by("pk").iterator(chunk_size=50)))
say("get_or_create", [Parcel.objects.get_or_create(code="got", defaults={"weight": 1})[1] for _ in range(2)])
say("dates", [list(Parcel.objects.datetimes("sent", "day"))[:3], Parcel.objects.filter(Q(sent__hour=13) | Q(sent__year=2023)).count()])
with transaction.atomic():
    locked = Parcel.objects.select_for_update().get(code="got")
    locked.parent = Parcel.objects.get(code="🎁-0")
    locked.save()
    try:
        with transaction.atomic():
            Parcel.objects.create(code="got", weight=1)
    except IntegrityError as error:
        say("duplicate", list(error.args))
    Parcel.objects.filter(code="🎁-5").delete()
    transaction.on_commit(lambda: say("committed", Parcel.objects.count()))
try:
    with transaction.atomic():
        Parcel.objects.exclude(code="🎁-0").delete()
        raise ValueError("changed my mind")
except ValueError:
    say("rolled back", Parcel.objects.count())
with transaction.atomic():
    say("skip locked", list(Parcel.objects.select_for_update(skip_locked=True).order_by("pk").values_list("code")[:1]))
group = Group.objects.create(name="drivers")
person = User.objects.create_user("zoë", "z@example.org", None)
person.groups.add(group)
group.permissions.set(Permission.objects.filter(codename__startswith="add"))
say("related", [list(User.objects.filter(groups__permissions__codename="add_user").values_list("username", "groups__name")), list(group.permissions.order_by("codename").values_list("codename", flat=True))])
say("prefetched", [[one.username, [two.name for two in one.groups.all()]] for one in User.objects.prefetch_related("groups")])
for size in BIG:
    Parcel.objects.create(code=str(size), weight=1, body=big(size))
    say("big", Parcel.objects.get(code=str(size)).body)
for text in ["SELEC 1", "SELECT * FROM nowhere", "SELECT * FROM vault.secrets"]:
    try:
        connection.cursor().execute(text)
    except (OperationalError, ProgrammingError) as error:
        say("error", [type(error).__name__, list(error.args)])
say("explain", [len(Parcel.objects.filter(code="got").explain()) > 10])
say("inspectdb", command("inspectdb", "kinds", "items", "parcels_parcel"))
say("cascade", Parcel.objects.filter(code="got").delete())
say("usable", [connection.is_usable(), connection.get_autocommit()])
connection.close()
say("again", Parcel.objects.count())
with connection.schema_editor() as editor:
    extra = models.IntegerField(default=3)
    extra.set_attributes_from_name("extra")
    editor.add_field(Parcel, extra)
with connection.cursor() as cursor:
    cursor.execute("SELECT DISTINCT extra FROM parcels_parcel")
    say("added", cursor.fetchall())
with connection.schema_editor() as editor:
    editor.delete_model(Parcel)
say("tables", [table.name for table in connection.introspection.get_table_list(connection.cursor()) if table.name.startswith("auth")])
